"""Auditing runs: does each one's row say what its events say, and is every step of a promotion there as it was marked?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from evals.codec import convert, decode
from flows.registry.audit.rows import rows_of
from flows.registry.database.schema import runs, steps
from flows.registry.records import RUN_STATES, Event, RunRecord

__all__ = ["run_problems", "step_problems"]

_STATES = {f"run_{state}": state for state in RUN_STATES}


def run_problems(
    connection: Connection, events: Mapping[int, Event], target: str | None = None
) -> Iterator[str]:
    """Yield one sentence for every run that differs from the events, by number in `events`; of one target, or of all."""
    expected = _replayed(events)
    found = connection.execute(rows_of(runs, target)).mappings()
    rows = {row["run_id"]: row for row in found}
    for run_id, row in rows.items():
        if run_id not in expected:
            yield f"run {run_id} has no event: it was put there past the registry"
        elif wrong := _differences(row, expected[run_id]):
            yield f"run {run_id} differs from its events in {', '.join(wrong)}: it was altered"
    yield from (f"run {run_id} was removed" for run_id in expected if run_id not in rows)


def _replayed(events: Mapping[int, Event]) -> dict[str, dict[str, Any]]:
    """What is known of each run when its events are gone through once more."""
    known: dict[str, dict[str, Any]] = {}
    for _, event in sorted(events.items()):
        if event.run_id is None or not event.kind.startswith("run_"):
            continue
        facts = event.facts()
        if event.kind == "run_requested" and "kind" in facts:
            first = {"kind": facts["kind"], "trigger": facts["trigger"], "target": event.target}
            record = facts.get("record", {})  # registries that are older have none
            times = {"created_at": event.at, "updated_at": event.at}
            known[event.run_id] = {**record, **first, **times, "requested_by": event.actor}
        elif event.run_id in known and event.kind == "run_noted":
            known[event.run_id] |= facts | {"updated_at": event.at}
        elif event.run_id in known and event.kind in _STATES:
            state = {"state": _STATES[event.kind], "detail": event.reason, "updated_at": event.at}
            known[event.run_id] |= state
    return known


def _differences(row: Mapping[Any, Any], expected: dict[str, Any]) -> list[str]:
    try:
        record = decode(row["record"], RunRecord)
    except msgspec.MsgspecError:
        return ["record"]
    true = convert({"run_id": row["run_id"], **expected}, RunRecord)
    wrong = {key for key in ("run_id", *expected) if getattr(record, key) != getattr(true, key)}
    columns = ("run_id", "target", "kind", "state", "trigger_key", "created_at", "updated_at")
    wrong |= {key for key in columns if row[key] != getattr(record, key)}
    return sorted(wrong)


def step_problems(connection: Connection, events: Mapping[int, Event]) -> Iterator[str]:
    """Yield one sentence for every step of a promotion that its event does not tell of."""
    rows = {row["seq"]: row for row in connection.execute(select(steps)).mappings()}
    for seq, row in rows.items():
        event = events.get(seq)
        recorded = {key: row[key] for key in ("step", "phase")} | {"detail": decode(row["detail"])}
        if event is None or event.kind != "step" or event.run_id != row["run_id"]:
            yield f"step {row['step']} of run {row['run_id']} has no event: it was put there past the registry"
        elif event.facts() != recorded:
            yield f"step {row['step']} of run {row['run_id']} differs from event {seq}: it was altered"
    for seq, event in events.items():
        if event.kind == "step" and seq not in rows:
            yield f"a step of run {event.run_id} (event {seq}) was removed"
