"""What a promotion can prove: a statement in the in-toto shape, signed in a DSSE envelope when a key is given.

The statement is a SLSA verification summary (predicate https://slsa.dev/verification_summary/v1) about a subject that is
the digest of what went live: platform, address, deployment, model, base model and training file. It names the policy and
the evidence by digest and carries the head of the registry's chain, so that a rewritten history contradicts it.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from evals.records import LivePointer, Verdict, digest
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.release.signing import opened, signature_problems

__all__ = ["check_statement", "statement"]

_VERIFIER = "https://gatewright.invalid/verifier"
_WITHIN_POLICY = frozenset({"PASS", "INCONCLUSIVE"})
"""What goes live on the policy's own terms (INCONCLUSIVE by the approvals it asks for); an overridden FAIL does not."""


def statement(registry: Registry, pointer: LivePointer) -> dict[str, Any]:
    """Return the statement about a pointer that a run made live; what is not known is null."""
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


def check_statement(
    registry: Registry, pointer: LivePointer, key: Ed25519PublicKey | None
) -> tuple[str, ...]:
    """Return what is wrong with the stored statement about a pointer; empty when it holds.

    With a key the signature must be there and hold; without one only the digests are compared.
    """
    wrapped = registry.statement(pointer.run_id) if pointer.run_id else None
    if wrapped is None:
        return (f"generation {pointer.generation} of {pointer.target} has no statement",)
    problems = [] if key is None else signature_problems(wrapped, key)
    try:
        recorded = opened(wrapped)
    except ValueError as error:
        return (*problems, str(error))
    return (*problems, *_differences(recorded, statement(registry, pointer)))


def _predicate(
    registry: Registry, pointer: LivePointer, run: RunRecord | None, verdict: Verdict | None
) -> dict[str, Any]:
    switch = registry.event_of(pointer.target, pointer.generation)
    outcome = verdict.outcome if verdict else None
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
        "verificationResult": "PASSED" if outcome in _WITHIN_POLICY else "FAILED",
        "verifiedLevels": ["GATEWRIGHT_" + (outcome or "UNJUDGED")],
        "gatewright": {
            "verdict": outcome,
            "answers": [
                {"decision": answer.decision, "actor": answer.actor, "at": answer.at}
                for answer in (registry.answers(run.run_id) if run else ())
            ],
            "chain": {"seq": switch.seq, "hash": switch.hash} if switch else None,
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


def _digests(value: str | None) -> dict[str, str]:
    kind, _, found = (value or "").partition(":")
    return {kind: found} if found else {}


def _differences(recorded: dict[str, Any], true: dict[str, Any]) -> list[str]:
    pairs = {
        "subject": (recorded.get("subject"), true["subject"]),
        **{
            key: (recorded.get("predicate", {}).get(key), value)
            for key, value in true["predicate"].items()
            if key != "verifier"
        },
    }
    return [
        f"the statement's {key} is not what is on record" for key, (a, b) in pairs.items() if a != b
    ]


def _own_version() -> str:
    try:
        return version("gatewright")
    except PackageNotFoundError:
        return "unknown"
