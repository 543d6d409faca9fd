"""What a freeze can prove: a statement in the in-toto shape about the digest of its record, signed when a key is given."""

from __future__ import annotations

from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from evals.records import digest
from flows.registry.frozen import FrozenBaseline
from flows.release.signing import opened, signature_problems

__all__ = ["frozen_statement", "statement_problems"]

_TYPE = "https://gatewright.invalid/frozen_baseline/v1"


def frozen_statement(baseline: FrozenBaseline, head: tuple[int, str]) -> dict[str, Any]:
    """Return the statement about a frozen baseline; `head` is that of the registry's chain when it was made."""
    kind, _, found = digest(baseline).partition(":")
    facts = msgspec.to_builtins(baseline)
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": _name(baseline), "digest": {kind: found}}],
        "predicateType": _TYPE,
        "predicate": {
            "model": baseline.model_id,
            "frozen_at": baseline.frozen_at,
            "frozen_by": baseline.frozen_by,
            "repeats": baseline.repeats,
            "answers": baseline.answers,
            "kept": baseline.kept,
            "files": facts["files"],
            "chain": {"seq": head[0], "hash": head[1]},
        },
    }


def statement_problems(
    baseline: FrozenBaseline, envelope: dict[str, Any], key: Ed25519PublicKey | None
) -> tuple[str, ...]:
    """Return what is wrong with the statement about a frozen baseline; with a key its signature has to be by it."""
    problems = signature_problems(envelope, key) if key is not None else []
    try:
        said = opened(envelope)
        subject = said["subject"][0]
        told = (said["predicateType"], subject["name"], subject["digest"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return (*problems, f"its statement can't be read: {error}")
    kind, _, found = digest(baseline).partition(":")
    if told != (_TYPE, _name(baseline), {kind: found}):
        problems.append("its statement is about something else")
    return tuple(problems)


def _name(baseline: FrozenBaseline) -> str:
    return f"{baseline.target}/frozen/{baseline.frozen_id}"
