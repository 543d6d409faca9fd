"""Warnings on record: what draws near for a target, announced once each. Only events, kept in no table.

A warning has a mark that tells it from others. One of a day that draws near has a threshold besides, in days: a nearer one
counts for those further away, and a day that was put off by more than a month is announced again.
"""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import Connection, select

from flows.registry.database.engine import Writer
from flows.registry.database.schema import events
from flows.registry.records import AUTOMATION, Event

__all__ = ["PUT_OFF", "record_warning", "warnings_of", "was_warned"]

_WARNED = "warned"
PUT_OFF = timedelta(days=31)
"""A day that moved by less is the same day, from another source."""


def warnings_of(connection: Connection, target: str) -> tuple[Event, ...]:
    """Return the warnings of a target, oldest first."""
    query = select(events).where(events.c.target == target, events.c.kind == _WARNED)
    rows = connection.execute(query.order_by(events.c.seq)).mappings()
    return tuple(Event(**row) for row in rows)


def was_warned(
    connection: Connection,
    target: str,
    mark: str,
    *,
    day: date | None = None,
    threshold: int | None = None,
) -> bool:
    """Say whether a warning is on record, or a nearer one of the same day."""
    return any(_covers(event, mark, day, threshold) for event in warnings_of(connection, target))


def record_warning(
    writer: Writer,
    target: str,
    *,
    mark: str,
    reason: str,
    model_id: str | None = None,
    run_id: str | None = None,
    day: date | None = None,
    threshold: int | None = None,
) -> bool:
    """Record that people were warned; False, and nothing is recorded, when it is on record already."""
    if was_warned(writer.connection, target, mark, day=day, threshold=threshold):
        return False
    writer.append(
        _WARNED,
        actor=AUTOMATION,
        reason=reason,
        target=target,
        model_id=model_id,
        run_id=run_id,
        data={
            "mark": mark,
            "day": day.isoformat() if day is not None else None,
            "threshold": threshold,
        },
    )
    return True


def _covers(event: Event, mark: str, day: date | None, threshold: int | None) -> bool:
    told = event.facts()
    if told["mark"] != mark:
        return False
    if threshold is None or day is None:
        return True
    then = date.fromisoformat(told["day"])
    return told["threshold"] <= threshold and day - then < PUT_OFF
