"""Auditing: does the chain of events hold, and do the tables say what the events say?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Connection, select

from evals.codec import decode
from evals.records import digest
from flows.registry.audit import chain
from flows.registry.audit.runs import run_problems
from flows.registry.database.schema import (
    answers,
    events,
    holds,
    pointers,
    selections,
    splits,
    statements,
    suite_results,
    verdicts,
)
from flows.registry.records import CHANGES, Event
from flows.registry.retries import RETRIED

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
    rows = connection.execute(query.order_by(events.c.seq.desc()).limit(limit)).mappings()
    return tuple(Event(**row) for row in rows)


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
    yield from _pointers(connection, events)
    yield from _written_once(connection, events)
    yield from _answers(connection, events)
    yield from _holds(connection, events)
    yield from run_problems(connection, events)


def _pointers(connection: Connection, events: dict[int, Event]) -> Iterator[str]:
    rows = {row["seq"]: row for row in connection.execute(select(pointers)).mappings()}
    for seq, row in rows.items():
        named = f"generation {row['generation']} of {row['target']}"
        event = events.get(seq)
        if event is None or (event.kind, event.target, event.generation) != (
            row["kind"],
            row["target"],
            row["generation"],
        ):
            yield f"{named} has no event: it was put there past the registry"
        elif _said(event.facts()["pointer"]) != _said(_json(row["pointer"])) or (
            event.model_id,
            event.facts()["restores"],
        ) != (row["model_id"], row["restores"]):
            yield f"{named} differs from event {seq}: it was altered"
    for seq, event in events.items():
        if event.generation is not None and seq not in rows:
            yield f"generation {event.generation} of {event.target} (event {seq}) was removed"


def _written_once(connection: Connection, events: dict[int, Event]) -> Iterator[str]:
    for table, kind in (
        (verdicts, "verdict"),
        (suite_results, "suite_result"),
        (statements, "statement"),
        (selections, "selection"),
        (splits, "split"),
    ):
        column = table.c.envelope if table is statements else table.c.record
        rows = {
            row.seq: row
            for row in connection.execute(select(table.c.seq, table.c.run_id, column.label("text")))
        }
        for seq, row in rows.items():
            event = events.get(seq)
            if event is None or event.kind != kind or event.run_id != row.run_id:
                yield f"a {kind} of run {row.run_id} has no event: it was put there past the registry"
            elif event.facts()["digest"] != digest(_json(row.text)):
                yield f"a {kind} of run {row.run_id} differs from event {seq}: it was altered"
        withdrawn = _withdrawn(events)
        missing = (
            event
            for event in events.values()
            if event.kind == kind and event.seq not in rows and event.seq not in withdrawn
        )
        yield from (f"a {kind} of run {e.run_id} (event {e.seq}) was removed" for e in missing)


def _withdrawn(events: dict[int, Event]) -> set[int]:
    """Numbers of the events whose verdict or result a retry of the same run withdrew."""
    return {
        seq
        for event in events.values()
        if event.kind == RETRIED
        for seq in event.facts()["withdrawn"]
        if seq < event.seq and seq in events and events[seq].run_id == event.run_id
    }


def _answers(connection: Connection, events: dict[int, Event]) -> Iterator[str]:
    rows = {row.seq: row.record for row in connection.execute(select(answers))}
    for seq, record in rows.items():
        event = events.get(seq)
        if event is None or _said(event.facts()) != _said(_json(record)):
            yield f"answer {seq} differs from its event: it was altered or slipped in"
    kinds = ("approve", "reject", "override")
    for seq, event in events.items():
        if event.kind in kinds and seq not in rows:
            yield f"the {event.kind} of {event.actor} (event {seq}) was removed"


def _holds(connection: Connection, events: dict[int, Event]) -> Iterator[str]:
    expected: dict[str, int] = {}
    for seq, event in sorted(events.items()):
        if event.kind == "hold" and event.target is not None:
            expected.setdefault(event.target, seq)
        elif event.kind == "release" and event.target is not None:
            expected.pop(event.target, None)
    found = {row.target: row.seq for row in connection.execute(select(holds.c.target, holds.c.seq))}
    for target in sorted(expected.keys() ^ found.keys()):
        change = "was lifted" if target in expected else "was set"
        yield f"the hold on {target} {change} past the registry"


def _json(text: str | None) -> Any:
    return decode(text) if text is not None else None


def _said(value: Any) -> str:
    return digest(value)
