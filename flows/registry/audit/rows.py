"""Do the rows of the tables say what the events say? The whole registry's, or those a switch of one target rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import msgspec
from sqlalchemy import Connection, Select, Table, select

from evals.codec import decode
from evals.records import digest
from flows.registry.database import schema
from flows.registry.records import Decision, Event
from flows.registry.retries import RETRIED

__all__ = [
    "answer_problems",
    "hold_problems",
    "pointer_problems",
    "rows_of",
    "written_once_problems",
]

Events = Mapping[int, Event]

_ANSWERS = frozenset(get_args(Decision))

_WRITTEN_ONCE = {
    "verdict": schema.verdicts,
    "suite_result": schema.suite_results,
    "selection": schema.selections,
    "statement": schema.statements,
    "split": schema.splits,
}


def rows_of(table: Table, target: str | None) -> Select[Any]:
    """Return the query for a table's rows: all of them, or those of one target."""
    if target is None:
        return select(table)
    if "target" in table.c:
        return select(table).where(table.c.target == target)
    its_runs = select(schema.events.c.run_id).where(schema.events.c.target == target)
    return select(table).where(table.c.run_id.in_(its_runs))


def pointer_problems(
    connection: Connection, events: Events, target: str | None = None
) -> Iterator[str]:
    """Yield one sentence for every generation that its event does not tell of."""
    found = connection.execute(rows_of(schema.pointers, target)).mappings()
    rows = {row["seq"]: row for row in found}
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
            event.run_id,
            event.at,
            event.facts()["restores"],
        ) != (row["model_id"], row["run_id"], row["since"], row["restores"]):
            yield f"{named} differs from event {seq}: it was altered"
    for seq, event in events.items():
        if event.generation is not None and seq not in rows:
            yield f"generation {event.generation} of {event.target} (event {seq}) was removed"


def written_once_problems(
    connection: Connection, events: Events, target: str | None = None, *, but: tuple[str, ...] = ()
) -> Iterator[str]:
    """Yield one sentence for every verdict, result, selection, statement or dealt case that was altered, except of the kinds `but`."""
    withdrawn = _withdrawn(events)
    for kind in _WRITTEN_ONCE.keys() - set(but):
        yield from _once(connection, events, kind, target, withdrawn)


def _once(
    connection: Connection, events: Events, kind: str, target: str | None, withdrawn: set[int]
) -> Iterator[str]:
    found = connection.execute(rows_of(_WRITTEN_ONCE[kind], target)).mappings()
    rows = {row["seq"]: row for row in found}
    for seq, row in rows.items():
        named, event = _named(kind, row), events.get(seq)
        if event is None or event.kind != kind or event.run_id != row["run_id"]:
            yield f"{named} has no event: it was put there past the registry"
        elif seq in withdrawn:
            yield f"{named} was withdrawn, and put back past the registry"
        elif wrong := _otherwise(row, event):
            yield f"{named} differs from event {seq} in {', '.join(wrong)}: it was altered"
    for seq, event in events.items():
        if event.kind == kind and seq not in rows and seq not in withdrawn:
            yield f"a {kind} of run {event.run_id} (event {seq}) was removed"


def _named(kind: str, row: Mapping[Any, Any]) -> str:
    slot = f"{row['slot']} " if kind == "verdict" else ""
    return (
        f"the {slot}{kind} of run {row['run_id']}" if slot else f"a {kind} of run {row['run_id']}"
    )


def _otherwise(row: Mapping[Any, Any], event: Event) -> list[str]:
    """What of a row its event does not tell: its text, by the digest, and every column that says the same by itself."""
    facts = {**event.facts(), "at": event.at, "target": event.target}
    text = row["envelope"] if "envelope" in row else row["record"]
    wrong = ["record"] if digest(_json(text)) != facts["digest"] else []
    columns = (
        facts.keys() & {"at", "target", "digest", "slot", "outcome", "suite", "role"} & row.keys()
    )
    return wrong + sorted(name for name in columns if row[name] != facts[name])


def _withdrawn(events: Events) -> set[int]:
    """Numbers of the events whose verdict or result a retry of the same run withdrew."""
    return {
        seq
        for event in events.values()
        if event.kind == RETRIED
        for seq in event.facts()["withdrawn"]
        if seq < event.seq and seq in events and events[seq].run_id == event.run_id
    }


def answer_problems(
    connection: Connection, events: Events, target: str | None = None
) -> Iterator[str]:
    """Yield one sentence for every answer that its event does not tell of, and for every one that is gone."""
    found = connection.execute(rows_of(schema.answers, target)).mappings()
    rows = {row["seq"]: row for row in found}
    for seq, row in rows.items():
        event = events.get(seq)
        said = event.facts() if event is not None and event.kind in _ANSWERS else {}
        columns = ("run_id", "slot", "decision", "actor")
        if _said(said) != _said(_json(row["record"])) or any(
            row[name] != said[name] for name in columns
        ):
            yield f"answer {seq} differs from its event: it was altered or slipped in"
    for seq, event in events.items():
        if event.kind in _ANSWERS and seq not in rows:
            yield f"the {event.kind} of {event.actor} (event {seq}) was removed"


def hold_problems(
    connection: Connection, events: Events, target: str | None = None
) -> Iterator[str]:
    """Yield one sentence for every hold that was set or lifted past the registry."""
    expected: dict[str, int] = {}
    for seq, event in sorted(events.items()):
        if event.kind == "hold" and event.target is not None:
            expected.setdefault(event.target, seq)
        elif event.kind == "release" and event.target is not None:
            expected.pop(event.target, None)
    found = {row.target: row for row in connection.execute(rows_of(schema.holds, target))}
    for name in sorted(expected.keys() ^ found.keys()):
        change = "was lifted" if name in expected else "was set"
        yield f"the hold on {name} {change} past the registry"
    for name in sorted(expected.keys() & found.keys()):
        row, event = found[name], events[expected[name]]
        said = (event.seq, event.actor, event.reason, event.at)
        if (row.seq, row.actor, row.reason, row.since) != said:
            yield f"the hold on {name} differs from event {event.seq}: it was altered"


def _json(text: str | None) -> Any:
    try:
        return decode(text) if text is not None else None
    except msgspec.DecodeError:  # which no event says
        return {"unreadable": text}


def _said(value: Any) -> str:
    return digest(value)
