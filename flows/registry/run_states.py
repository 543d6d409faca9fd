"""How runs move from state to state, and what a refusal means for the model that was refused."""

from __future__ import annotations

from typing import NamedTuple, cast

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, select

from evals.errors import RefusedError, RegistryError
from flows.registry import answers, ledger, pointers, runs, verdicts
from flows.registry.database.engine import Writer
from flows.registry.database.schema import events
from flows.registry.records import AUTOMATION, RUN_STATES, RunRecord, RunState

__all__ = ["Move", "came_to_state_at", "moves_since", "set_state", "supersede"]


class Move(NamedTuple):
    """A run came to a state; `seq` is the number of the event."""

    seq: int
    state: RunState
    detail: str


def set_state(
    writer: Writer, run_id: str, state: RunState, detail: str = "", *, actor: str = AUTOMATION
) -> RunRecord:
    """Move a run on; the same state and detail again is no change.

    A promotion that is refused on its verdict, or by a person, bars its model from the target; it is refused by the
    person who rejected it, else by nobody but automation, whoever asked for it. Raises RefusedError for a
    way out of `promoted` or `superseded`, RegistryError for a `promoted` that made nothing live or for an unknown run.
    """
    run = runs.require(writer.connection, run_id)
    if (run.state, run.detail) == (state, detail):
        return run
    if run.state == "promoted" and state != "promoted":
        raise RefusedError(f"run {run_id} was promoted; it can't become {state}")
    if run.state == "superseded":
        raise RefusedError(f"run {run_id} was {run.detail}; it can't become {state}")
    if state == "promoted" and not pointers.of_run(writer.connection, run_id):
        raise RegistryError(f"run {run_id} made nothing live; it can't be called promoted")
    kinds = [f"run_{state}"]
    if state == "refused":
        person = answers.rejected(answers.answers_of(writer.connection, run_id))
        actor = person.actor if person is not None else AUTOMATION
        if _on_its_merits(writer.connection, run):
            kinds.append("model_refused")
    for kind in kinds:
        writer.append(
            kind,
            actor=actor,
            reason=detail,
            target=run.target,
            run_id=run_id,
            model_id=run.candidate_model or None,
        )
    return runs.save(writer, replace(run, state=state, detail=detail))


def came_to_state_at(connection: Connection, run_id: str) -> str | None:
    """Return when a run entered its present state, UTC, ISO 8601; writing its report anew does not count."""
    query = select(events.c.at).where(*_of(run_id)).order_by(events.c.seq.desc()).limit(1)
    return connection.execute(query).scalar()


def moves_since(connection: Connection, run_id: str, seq: int = 0) -> tuple[Move, ...]:
    """Return the states that a run came to after an event, in order: those too that it left at once."""
    columns = (events.c.seq, events.c.kind, events.c.reason)
    query = select(*columns).where(*_of(run_id), events.c.seq > seq).order_by(events.c.seq)
    return tuple(
        Move(number, cast("RunState", kind.removeprefix("run_")), detail)
        for number, kind, detail in connection.execute(query)
    )


def _of(run_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    kinds = [f"run_{state}" for state in RUN_STATES]
    return events.c.run_id == run_id, events.c.kind.in_(kinds)


def supersede(writer: Writer, run_id: str) -> tuple[str, ...]:
    """Close the runs that wait for people's word on a candidate that this run judges anew; return their ids."""
    run = runs.require(writer.connection, run_id)
    if run.kind != "promotion":
        return ()
    tries = ledger.tries_of(writer.connection, run.target, run.candidate_model)
    waiting = [
        one.run.run_id
        for each in tries
        for one in each.runs
        if one.run.state == "waiting" and one.run.run_id != run_id
    ]
    for earlier in waiting:
        set_state(writer, earlier, "superseded", f"superseded by run {run_id}")
    return tuple(waiting)


def _on_its_merits(connection: Connection, run: RunRecord) -> bool:
    if run.kind != "promotion" or not run.candidate_model:
        return False
    judged = (
        verdicts.verdict(connection, run.run_id, slot) for slot in ("developer", "production")
    )
    failed = any(verdict is not None and verdict.outcome == "FAIL" for verdict in judged)
    return failed or answers.rejected(answers.answers_of(connection, run.run_id)) is not None
