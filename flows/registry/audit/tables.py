"""Auditing: does the chain of events hold, and do the tables say what the events say?"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, select

from flows.registry.audit import chain, rows
from flows.registry.audit.frozen import frozen_problems
from flows.registry.audit.runs import run_problems, step_problems
from flows.registry.database.schema import events
from flows.registry.records import CHANGES, Event

__all__ = ["chain_head", "event_of", "history", "verify"]


def verify(connection: Connection) -> tuple[str, ...]:
    """Return one sentence for everything that was altered, removed or slipped in; empty when all is intact."""
    return tuple(_problems(connection))


def history(
    connection: Connection,
    target: str,
    limit: int = 50,
    *,
    kinds: Collection[str] | None = CHANGES,
) -> tuple[Event, ...]:
    """Return a target's events, newest first; `kinds=None` for every one, the steps of promotions included."""
    query = select(events).where(events.c.target == target)
    if kinds is not None:
        query = query.where(events.c.kind.in_(sorted(kinds)))
    found = connection.execute(query.order_by(events.c.seq.desc()).limit(limit)).mappings()
    return tuple(Event(**row) for row in found)


def event_of(connection: Connection, target: str, generation: int) -> Event | None:
    """Return the event that made a generation live, None when there is none."""
    query = select(events).where(events.c.target == target, events.c.generation == generation)
    row = connection.execute(query).mappings().one_or_none()
    return Event(**row) if row is not None else None


def chain_head(connection: Connection) -> tuple[int, str]:
    """Return the number and hash of the newest event; kept elsewhere, it proves that history was not rewritten."""
    return chain.head(connection)


def _problems(connection: Connection) -> Iterator[str]:
    number, newest = chain.head(connection)
    yield from chain.breaks(chain.read(connection), number, newest)
    events = {event.seq: event for event in chain.read(connection)}
    yield from rows.pointer_problems(connection, events)
    yield from rows.written_once_problems(connection, events)
    yield from rows.answer_problems(connection, events)
    yield from rows.hold_problems(connection, events)
    yield from frozen_problems(connection, events)
    yield from run_problems(connection, events)
    yield from step_problems(connection, events)
