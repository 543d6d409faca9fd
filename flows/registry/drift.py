"""Drift on record: what a look at platform and publishers found other than recorded, until a later look finds it over.

The newest event decides, as with the standing of models, and is kept nowhere else. A drift belongs to the generation it
was seen at: what goes live next starts without one.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from flows.registry import holds
from flows.registry.database.engine import Writer
from flows.registry.database.schema import events
from flows.registry.pointers import newest
from flows.registry.records import Event

__all__ = ["close_drift", "drifted", "record_drift", "record_repair"]

_FOUND, _OVER = "drift_found", "drift_over"


def drifted(connection: Connection, target: str) -> Event | None:
    """Return the event of the drift that a target is in at its present generation, None when it is in none."""
    query = (
        select(events)
        .where(events.c.target == target, events.c.kind.in_((_FOUND, _OVER)))
        .order_by(events.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    event = Event(**row) if row is not None and row["kind"] == _FOUND else None
    live = newest(connection, target)
    generation = live["generation"] if live is not None else 0
    return event if event is not None and event.facts()["generation"] == generation else None


def record_drift(
    writer: Writer,
    target: str,
    *,
    actor: str,
    reason: str,
    marks: Sequence[str],
    generation: int,
    model_id: str | None,
    hold: bool = False,
) -> bool:
    """Record a drift and, with `hold`, hold the target in the same transaction; `marks` tell one drift from another.

    Returns False, and records nothing, when just this drift is on record already, or the target is at another
    generation by now.
    """
    row = newest(writer.connection, target)
    if (row["generation"] if row is not None else 0) != generation:
        return False
    known = drifted(writer.connection, target)
    if known is not None and known.facts()["marks"] == list(marks):
        return False
    writer.append(
        _FOUND,
        actor=actor,
        reason=reason,
        target=target,
        model_id=model_id,
        data={"generation": generation, "marks": list(marks)},
    )
    if hold and holds.held(writer.connection, target) is None:
        holds.place(writer, target, actor=actor, reason=reason)
    return True


def record_repair(
    writer: Writer,
    target: str,
    *,
    actor: str,
    reason: str,
    model_id: str | None,
    found: Sequence[str],
    problems: Sequence[str] = (),
) -> Event:
    """Record that a person had what is recorded put back; a drift on record is over then, unless there are `problems`.

    `found` says what stood otherwise before, whether a scheduled look had seen it or not.
    """
    event = writer.append(
        "put_back",
        actor=actor,
        reason=reason,
        target=target,
        model_id=model_id,
        data={"found": list(found), "problems": list(problems)},
    )
    if not problems:
        close_drift(writer, target, actor=actor, reason=reason)
    return event


def close_drift(writer: Writer, target: str, *, actor: str, reason: str) -> bool:
    """Record that the drift a target is in is over; False, and nothing is recorded, when it is in none."""
    known = drifted(writer.connection, target)
    if known is None:
        return False
    writer.append(_OVER, actor=actor, reason=reason, target=target, model_id=known.model_id)
    return True
