"""What a promotion can prove: a statement in the in-toto shape, signed in a DSSE envelope when a key is given.

The statement is a SLSA verification summary (predicate https://slsa.dev/verification_summary/v1) about a subject that is
the digest of what went live: platform, address, deployment, model, base model and training file. It names the policy and
the evidence by digest and carries the head of the registry's chain, so that a rewritten history contradicts it.

GATEWRIGHT_SIGNING_KEY   Ed25519 private key, PEM (PKCS 8) or 32 bytes in base64; without it statements are not signed
GATEWRIGHT_VERIFY_KEY    Ed25519 public key, PEM or 32 bytes in base64; without it that of the signing key
"""

from __future__ import annotations

import base64
import hashlib
import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from evals.errors import CredentialError, Problem
from evals.records import LivePointer, Verdict, decode, digest, encode
from flows.registry.records import RunRecord
from flows.registry.store import Registry

__all__ = ["check_envelope", "envelope", "opened", "signing_key", "statement", "verifying_key"]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_VERIFIER = "https://gatewright.invalid/verifier"


def statement(registry: Registry, pointer: LivePointer) -> dict[str, Any]:
    """Return the statement about a pointer that a run made live. Raises RefusedError-free: what is unknown is null."""
    run = registry.run(pointer.run_id) if pointer.run_id else None
    verdict = registry.verdict(run.run_id) if run else None
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": f"{pointer.target}@{pointer.generation}", "digest": _subject(pointer, run)}
        ],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": _predicate(registry, pointer, run, verdict),
    }


def envelope(statement: dict[str, Any], key: Ed25519PrivateKey | None) -> dict[str, Any]:
    """Return the statement in a DSSE envelope, with one signature, or none without a key."""
    body = encode(statement)
    signatures = []
    if key is not None:
        signed = base64.b64encode(key.sign(_authenticated(body))).decode()
        signatures.append({"keyid": key_id(key.public_key()), "sig": signed})
    payload = base64.b64encode(body).decode()
    return {"payloadType": PAYLOAD_TYPE, "payload": payload, "signatures": signatures}


def opened(wrapped: dict[str, Any]) -> dict[str, Any]:
    """Return the statement inside an envelope, unchecked. Raises ValueError when there is none."""
    try:
        return decode(base64.b64decode(wrapped["payload"], validate=True), dict)
    except (KeyError, TypeError, msgspec.MsgspecError) as error:
        raise ValueError(f"this is no envelope: {error}") from error


def check_envelope(
    registry: Registry, pointer: LivePointer, key: Ed25519PublicKey | None
) -> tuple[str, ...]:
    """Return what is wrong with the stored statement about a pointer; empty when it holds.

    With a key the signature must be there and hold; without one only the digests are compared.
    """
    wrapped = registry.statement(pointer.run_id) if pointer.run_id else None
    if wrapped is None:
        return (f"generation {pointer.generation} of {pointer.target} has no statement",)
    problems = [] if key is None else _signature_problems(wrapped, key)
    try:
        told = opened(wrapped)
    except ValueError as error:
        return (*problems, str(error))
    return (*problems, *_differences(told, statement(registry, pointer)))


def signing_key() -> Ed25519PrivateKey | None:
    """Read the private key from the environment, None when there is none. Raises CredentialError when it is unusable."""
    raw = _read("GATEWRIGHT_SIGNING_KEY")
    if raw is None:
        return None
    try:
        key = (
            load_pem_private_key(raw, None)
            if raw.startswith(b"-----")
            else Ed25519PrivateKey.from_private_bytes(base64.b64decode(raw, validate=True))
        )
    except (ValueError, TypeError):
        raise _unusable("GATEWRIGHT_SIGNING_KEY") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable("GATEWRIGHT_SIGNING_KEY")
    return key


def verifying_key() -> Ed25519PublicKey | None:
    """Read the public key from the environment, else derive it from the private one; None without either."""
    raw = _read("GATEWRIGHT_VERIFY_KEY")
    if raw is None:
        own = signing_key()
        return None if own is None else own.public_key()
    try:
        key = (
            load_pem_public_key(raw)
            if raw.startswith(b"-----")
            else Ed25519PublicKey.from_public_bytes(base64.b64decode(raw, validate=True))
        )
    except (ValueError, TypeError):
        raise _unusable("GATEWRIGHT_VERIFY_KEY") from None
    if not isinstance(key, Ed25519PublicKey):
        raise _unusable("GATEWRIGHT_VERIFY_KEY")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """Return the name of a key: the SHA-256 of its 32 bytes."""
    return "sha256:" + hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def _predicate(
    registry: Registry, pointer: LivePointer, run: RunRecord | None, verdict: Verdict | None
) -> dict[str, Any]:
    number, newest = _anchor(registry, pointer)
    return {
        "verifier": {"id": _VERIFIER, "version": {"gatewright": _own_version()}},
        "timeVerified": pointer.since,
        "resourceUri": f"gatewright:{pointer.target}/{pointer.generation}",
        "policy": {
            "uri": f"gatewright:gates/{verdict.policy if verdict else ''}",
            "digest": _digests(verdict.policy_digest if verdict else None),
        },
        "inputAttestations": [
            {"uri": f"gatewright:runs/{pointer.run_id}/evidence", "digest": _digests(found)}
            for found in _evidence(registry, run)
        ],
        "verificationResult": "PASSED" if verdict and verdict.outcome == "PASS" else "FAILED",
        "verifiedLevels": [],
        "gatewright": {
            "verdict": verdict.outcome if verdict else None,
            "answers": [
                {"decision": answer.decision, "actor": answer.actor, "at": answer.at}
                for answer in (registry.answers(run.run_id) if run else ())
            ],
            "chain": {"seq": number, "hash": newest},
        },
    }


def _subject(pointer: LivePointer, run: RunRecord | None) -> dict[str, str]:
    candidate = run.candidate if run else None
    facts = {
        "platform": pointer.platform,
        "resource": pointer.endpoint.base_url,
        "deployment": pointer.deployment,
        "model": pointer.model_id,
        "base_model": candidate.base_model if candidate else None,
        "training_file": candidate.training_digest if candidate else None,
    }
    return _digests(digest(facts))


def _evidence(registry: Registry, run: RunRecord | None) -> list[str]:
    if run is None:
        return []
    judged = (registry.verdict(run.run_id, slot) for slot in ("developer", "production"))
    return [verdict.evidence_digest for verdict in judged if verdict is not None]


def _anchor(registry: Registry, pointer: LivePointer) -> tuple[int, str]:
    """The event of the switch itself: number and hash, the same whenever it is asked for."""
    for event in registry.history(pointer.target, 10_000):
        if event.generation == pointer.generation:
            return event.seq, event.hash
    return 0, ""


def _digests(value: str | None) -> dict[str, str]:
    kind, _, found = (value or "").partition(":")
    return {kind: found} if found else {}


def _differences(told: dict[str, Any], true: dict[str, Any]) -> list[str]:
    pairs = {
        "subject": (told.get("subject"), true["subject"]),
        **{
            key: (told.get("predicate", {}).get(key), value)
            for key, value in true["predicate"].items()
            if key != "verifier"
        },
    }
    return [f"the statement's {key} is not what is on record" for key, (a, b) in pairs.items() if a != b]


def _signature_problems(wrapped: dict[str, Any], key: Ed25519PublicKey) -> list[str]:
    found = wrapped.get("signatures") or []
    if not found:
        return ["the statement is not signed"]
    try:
        body = base64.b64decode(wrapped["payload"], validate=True)
        for signature in found:
            key.verify(base64.b64decode(signature["sig"]), _authenticated(body))
    except InvalidSignature:
        return [f"the statement's signature is not by {key_id(key)}"]
    except (KeyError, TypeError, ValueError) as error:
        return [f"the statement's signature can't be read: {error}"]
    return []


def _authenticated(body: bytes) -> bytes:
    """What DSSE signs: its pre-authentication encoding of type and body."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def _own_version() -> str:
    try:
        return version("gatewright")
    except PackageNotFoundError:
        return "unknown"


def _read(variable: str) -> bytes | None:
    value = os.environ.get(variable, "").strip()
    return value.encode() or None


def _unusable(variable: str) -> CredentialError:
    message = "expected an Ed25519 key, PEM or 32 bytes in base64; found something else"
    return CredentialError(Problem(where=variable, message=message))
