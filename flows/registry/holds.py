"""Holds: while one stands, automation may not promote to its target."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from flows.registry.database.engine import Writer
from flows.registry.database.schema import events, holds
from flows.registry.eligibility import refuse_blank
from flows.registry.records import Hold

__all__ = ["held", "place", "release"]


def held(connection: Connection, target: str) -> Hold | None:
    """Return the hold on a target, None when there is none."""
    query = select(holds).where(holds.c.target == target)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    later = select(events.c.actor, events.c.reason).where(
        events.c.target == target, events.c.kind == "hold", events.c.seq > row.seq
    )
    also = (
        f"{one.actor}: {one.reason}" for one in connection.execute(later.order_by(events.c.seq))
    )
    return Hold(
        target=row.target,
        actor=row.actor,
        reason=row.reason,
        since=row.since,
        also=tuple(dict.fromkeys(also)),
    )


def place(
    writer: Writer, target: str, *, actor: str, reason: str, run_id: str | None = None
) -> Hold:
    """Hold a target. A hold that stands already keeps its place; the second one is on record as an event."""
    refuse_blank(actor, reason)
    standing = held(writer.connection, target)
    event = writer.append("hold", actor=actor, reason=reason, target=target, run_id=run_id)
    if standing is not None:
        return standing
    hold = Hold(target=target, actor=actor, reason=reason, since=writer.at)
    values = {"target": target, "actor": actor, "reason": reason, "since": writer.at}
    writer.connection.execute(insert(holds).values(seq=event.seq, **values))
    return hold


def release(writer: Writer, target: str, *, actor: str, reason: str) -> Hold | None:
    """Release a target and return the hold it had; None (and no event) when it had none."""
    refuse_blank(actor, reason)
    standing = held(writer.connection, target)
    if standing is None:
        return None
    writer.append("release", actor=actor, reason=reason, target=target)
    writer.connection.execute(delete(holds).where(holds.c.target == target))
    return standing
