"""Signing statements: a DSSE envelope (https://github.com/secure-systems-lab/dsse) with an Ed25519 signature.

GATEWRIGHT_SIGNING_KEY   Ed25519 private key, PEM (PKCS 8) or 32 bytes in base64; without it statements are not signed
GATEWRIGHT_VERIFY_KEY    Ed25519 public key, PEM or 32 bytes in base64; without it that of the signing key
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from functools import partial
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
from evals.records import decode, encode

__all__ = ["envelope", "key_id", "opened", "signature_problems", "signing_key", "verifying_key"]

PAYLOAD_TYPE = "application/vnd.in-toto+json"


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


_PRIVATE, _PUBLIC = "GATEWRIGHT_SIGNING_KEY", "GATEWRIGHT_VERIFY_KEY"


def signing_key() -> Ed25519PrivateKey | None:
    """Read the private key from the environment, None when there is none. Raises CredentialError when it is unusable."""
    raw = _read(_PRIVATE)
    if raw is None:
        return None
    from_pem = partial(load_pem_private_key, password=None)
    key = _loaded(_PRIVATE, raw, from_pem, Ed25519PrivateKey.from_private_bytes)
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(_PRIVATE)
    return key


def verifying_key() -> Ed25519PublicKey | None:
    """Read the public key from the environment, else derive it from the private one; None without either."""
    raw = _read(_PUBLIC)
    if raw is None:
        own = signing_key()
        return None if own is None else own.public_key()
    key = _loaded(_PUBLIC, raw, load_pem_public_key, Ed25519PublicKey.from_public_bytes)
    if not isinstance(key, Ed25519PublicKey):
        raise _unusable(_PUBLIC)
    return key


def _loaded(
    variable: str,
    raw: bytes,
    from_pem: Callable[[bytes], object],
    from_bytes: Callable[[bytes], object],
) -> object:
    """Read a key as PEM, or as base64 of its 32 bytes."""
    try:
        if raw.startswith(b"-----"):
            return from_pem(raw)
        return from_bytes(base64.b64decode(raw, validate=True))
    except (ValueError, TypeError):
        raise _unusable(variable) from None


def key_id(key: Ed25519PublicKey) -> str:
    """Return the name of a key: the SHA-256 of its 32 bytes."""
    return "sha256:" + hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def signature_problems(wrapped: dict[str, Any], key: Ed25519PublicKey) -> list[str]:
    """Return what is wrong with the signatures of an envelope; empty when every one is by this key."""
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


def _read(variable: str) -> bytes | None:
    value = os.environ.get(variable, "").strip()
    return value.encode() or None


def _unusable(variable: str) -> CredentialError:
    message = "expected an Ed25519 key, PEM or 32 bytes in base64; found something else"
    return CredentialError(Problem(where=variable, message=message))
