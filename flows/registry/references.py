"""The reference of what is live: its answers of a fresh pass over its suites after it went live, on record as an event.

The chain holds their digest, and which generation they are of. A later pass of the same generation takes the place of an
earlier one; that a pass failed is on record too, so that no promotion makes it twice.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from evals.records import Record, decode
from flows.registry.database.engine import Writer
from flows.registry.database.schema import events
from flows.registry.kept_answers import KeptReference

__all__ = [
    "PassFailed",
    "ReferencePass",
    "TakenAnew",
    "pass_failed",
    "passes",
    "reference",
    "save_failure",
    "save_pass",
    "taken_anew",
]

_KEPT, _FAILED = "reference_kept", "reference_failed"


class ReferencePass(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What a fresh pass came to: `digest` is that of the kept answers, `cost_usd` None when no price is known.

    `despite` is what spoke against taking them, where somebody took them all the same.
    """

    generation: int
    digest: str
    answers: int
    cost_usd: float | None = None
    despite: str = ""


class TakenAnew(Record, frozen=True, kw_only=True):
    """A reference that a person took although something spoke against it: who, when (UTC), why, and against what."""

    actor: str
    at: str
    reason: str
    despite: str
    digest: str


class PassFailed(Record, frozen=True, kw_only=True):
    """Why there are no fresh answers of a generation."""

    generation: int
    why: str


def save_pass(
    writer: Writer, target: str, model_id: str, done: ReferencePass, *, actor: str, reason: str = ""
) -> None:
    """Put fresh answers on record; the same ones again are no change."""
    known = reference(writer.connection, target, done.generation)
    if known is None or known.digest != done.digest or done.despite:
        writer.append(
            _KEPT, actor=actor, target=target, model_id=model_id, reason=reason, data=_plain(done)
        )


def save_failure(
    writer: Writer, target: str, model_id: str, failed: PassFailed, *, actor: str
) -> None:
    """Put on record why a pass brought nothing."""
    writer.append(
        _FAILED,
        actor=actor,
        target=target,
        model_id=model_id,
        reason=failed.why,
        data=_plain(failed),
    )


def reference(connection: Connection, target: str, generation: int) -> KeptReference | None:
    """Return the fresh answers of a generation, those of the newest pass; None without any."""
    for row in _newest_first(connection, target, _KEPT):
        found = decode(row.data, ReferencePass)
        if found.generation == generation:
            return KeptReference(
                target=target,
                generation=generation,
                model_id=row.model_id,
                run_id="",
                digest=found.digest,
                since=row.at,
            )
    return None


def taken_anew(connection: Connection, target: str, generation: int) -> TakenAnew | None:
    """Return who took the reference of a generation against what spoke against it; None where nothing did."""
    for row in _newest_first(connection, target, _KEPT):
        found = decode(row.data, ReferencePass)
        if found.generation == generation:
            if not found.despite:
                return None
            return TakenAnew(
                actor=row.actor,
                at=row.at,
                reason=row.reason or "",
                despite=found.despite,
                digest=found.digest,
            )
    return None


def passes(connection: Connection, target: str, generation: int) -> int:
    """Return how many passes over a generation came to an end, in one way or the other."""
    ended = [*_newest_first(connection, target, _KEPT), *_newest_first(connection, target, _FAILED)]
    return sum(decode(row.data, dict)["generation"] == generation for row in ended)


def pass_failed(connection: Connection, target: str, generation: int) -> str:
    """Return why the newest pass over a generation brought nothing; "" when it did, or there was none."""
    for row in _newest_first(connection, target, _KEPT, _FAILED):
        if decode(row.data, dict)["generation"] == generation:
            return str(decode(row.data, dict).get("why", ""))
    return ""


def _newest_first(connection: Connection, target: str, *kinds: str) -> list[Any]:
    query = (
        select(events.c.data, events.c.model_id, events.c.at, events.c.actor, events.c.reason)
        .where(events.c.target == target, events.c.kind.in_(kinds))
        .order_by(events.c.seq.desc())
    )
    return list(connection.execute(query))


def _plain(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}
