"""Runs: one row each, found again by its id or by the trigger that started it."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from evals.errors import RegistryError
from evals.records import decode
from flows.platforms.model_names import same_id
from flows.registry.database.engine import Writer
from flows.registry.database.schema import runs, verdicts
from flows.registry.records import AUTOMATION, RunRecord, as_text, trigger_key

__all__ = ["get", "listing", "note", "regressions_of", "require", "save", "start"]

_NOTED = frozenset(
    {
        "candidate",
        "candidate_model",
        "baseline_model",
        "baseline_generation",
        "policy",
        "policy_digest",
        "fingerprints",
        "selection",
        "report",
        "since_run",
        "edits",
    }
)


def start(writer: Writer, run: RunRecord) -> tuple[RunRecord, bool]:
    """Record a new run, or find the one this id or trigger already started. Raises RegistryError on a taken id."""
    run = _keyed(run)
    known = get(writer.connection, run.run_id) or _triggered(writer.connection, run)
    if known is not None:
        if (known.target, known.kind) != (run.target, run.kind):
            raise RegistryError(
                f"run {run.run_id} is a {known.kind} of {known.target} already, not a {run.kind} of {run.target}"
            )
        return known, False
    fresh = msgspec.structs.replace(
        run, state="requested", created_at=writer.at, updated_at=writer.at
    )
    writer.append(
        "run_requested",
        actor=run.requested_by,
        target=run.target,
        run_id=run.run_id,
        data={"kind": run.kind, "trigger": run.trigger, "record": _fixed(fresh)},
    )
    writer.connection.execute(insert(runs).values(**_row(fresh), created_at=writer.at))
    return fresh, True


def get(connection: Connection, run_id: str) -> RunRecord | None:
    """Return a run, None when it is not known."""
    text = connection.execute(select(runs.c.record).where(runs.c.run_id == run_id)).scalar()
    return decode(text, RunRecord) if text is not None else None


def require(connection: Connection, run_id: str) -> RunRecord:
    """Return a run. Raises RegistryError when it is not known."""
    run = get(connection, run_id)
    if run is None:
        raise RegistryError(f"there is no run {run_id!r} in the registry")
    return run


def listing(
    connection: Connection, target: str | None = None, limit: int | None = 50
) -> tuple[RunRecord, ...]:
    """Return runs, newest first; all of them when `limit` is None."""
    query = select(runs.c.record).order_by(runs.c.created_at.desc(), runs.c.run_id).limit(limit)
    if target is not None:
        query = query.where(runs.c.target == target)
    return tuple(decode(text, RunRecord) for text in connection.execute(query).scalars())


def regressions_of(connection: Connection, target: str, model_id: str) -> tuple[RunRecord, ...]:
    """Return all regression runs of one model of a target, newest first."""
    query = (
        select(runs.c.record)
        .where(runs.c.target == target, runs.c.kind == "regression")
        .order_by(runs.c.created_at.desc(), runs.c.run_id)
    )
    found = (decode(text, RunRecord) for text in connection.execute(query).scalars())
    return tuple(run for run in found if same_id(run.candidate_model, model_id))


def note(writer: Writer, /, run_id: str, *, actor: str = AUTOMATION, **facts: Any) -> RunRecord:
    """Fill in what is learned on the way: candidate, candidate_model, baseline_model, baseline_generation, policy,
    policy_digest, fingerprints, selection, report, since_run, edits. After a verdict only the report may change: RegistryError otherwise."""
    run = require(writer.connection, run_id)
    if unknown := set(facts) - _NOTED:
        raise RegistryError(f"a run has no {', '.join(sorted(unknown))} to note")
    changed = {key: value for key, value in facts.items() if getattr(run, key) != value}
    if not changed:
        return run
    judged = select(verdicts.c.slot).where(verdicts.c.run_id == run_id)
    if set(changed) - {"report"} and writer.connection.execute(judged).first():
        raise RegistryError(
            f"run {run_id} is judged; {', '.join(sorted(changed))} can't change now"
        )
    writer.append("run_noted", actor=actor, target=run.target, run_id=run_id, data=changed)
    return save(writer, msgspec.structs.replace(run, **changed))


def save(writer: Writer, run: RunRecord) -> RunRecord:
    """Write a changed run; its time of change is the transaction's."""
    run = msgspec.structs.replace(run, updated_at=writer.at)
    writer.connection.execute(update(runs).where(runs.c.run_id == run.run_id).values(**_row(run)))
    return run


def _keyed(run: RunRecord) -> RunRecord:
    if run.trigger_key is not None or run.kind != "promotion" or not run.trigger:
        return run
    return msgspec.structs.replace(run, trigger_key=trigger_key(run.target, run.trigger))


def _triggered(connection: Connection, run: RunRecord) -> RunRecord | None:
    if run.trigger_key is None:
        return None
    query = select(runs.c.record).where(
        runs.c.target == run.target, runs.c.kind == run.kind, runs.c.trigger_key == run.trigger_key
    )
    text = connection.execute(query).scalar()
    return decode(text, RunRecord) if text is not None else None


def _fixed(run: RunRecord) -> dict[str, Any]:
    """What a run is when it is requested, without what changes by itself."""
    plain: dict[str, Any] = msgspec.to_builtins(run)
    return {key: plain[key] for key in plain.keys() - {"created_at", "updated_at"}}


def _row(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "target": run.target,
        "kind": run.kind,
        "state": run.state,
        "trigger_key": run.trigger_key,
        "record": as_text(run),
        "updated_at": run.updated_at,
    }
