"""What follows from a change that a canary found: one full regression run, whose outcome decides the rest.

steady, changed    the change is over: where answers changed, cases are chosen again and compared with those of that run
worse, can't tell  it stays on record and starts nothing more, until a later regression run is steady, the answers are as
                   before, or something else is live
failed             another run is started, a few times

Any regression run of the live model that began after the change was found counts, whoever started it. One that is under way
when a change is found may have asked the model before the change: then the next look starts another.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from evals.errors import GatewrightError
from evals.report.numbers import counted
from flows.orchestration.prefect_api import FINAL_STATES, PrefectApi
from flows.orchestration.target_lease import died
from flows.registry.canaries import CanaryChange, CanaryState, Regressed
from flows.registry.records import RunRecord
from flows.registry.store import Registry

__all__ = ["DEPLOYMENT", "MOST_STARTS", "is_over", "settled", "started"]

DEPLOYMENT = "regression/regression"
MOST_STARTS = 5
_BEGINS_WITHIN = timedelta(minutes=10)


def settled(registry: Registry, state: CanaryState) -> CanaryState:
    """Return the canary with the outcome of the regression runs since its change; the newest that ended counts."""
    change = state.change
    if change is None:
        return state
    for run in _runs_since(registry, state, change.at):
        outcome = _outcome(registry, run)
        if outcome and outcome != "failed":
            return replace(state, change=replace(change, run_id=run.run_id, regressed=outcome))
    return state


def is_over(change: CanaryChange) -> bool:
    """Whether the regression run showed a model that is no worse."""
    return change.regressed in ("steady", "changed")


async def started(
    registry: Registry, state: CanaryState, api: PrefectApi | None, most: int
) -> CanaryState:
    """See that a regression run is started for the change, once; why it could not be is `problem`. `most` are allowed in a month.

    Safe to do again: the flow run has a key, and a run that is on record or under way is left alone.
    """
    change = state.change
    if change is None or change.regressed:
        return state
    try:
        found = await _start(registry, state, change, api, most)
        starts = state.month_starts + found.starts - change.starts
        return replace(state, change=found, month_starts=starts)
    except GatewrightError as error:
        return replace(state, change=replace(change, problem=" ".join(str(error).split())))


async def _start(
    registry: Registry, state: CanaryState, change: CanaryChange, api: PrefectApi | None, most: int
) -> CanaryChange:
    mine = _runs_since(registry, state, change.at)
    if mine and not _outcome(registry, mine[0]):
        return replace(change, run_id=mine[0].run_id, problem="")
    if (other := _under_way(registry, state.target)) is not None:
        return replace(
            change,
            problem=f"regression run {other} began before the change was found; the next look starts another",
        )
    if api is None:
        return replace(
            change,
            problem="no Prefect server is known (PREFECT_API_URL), so that the next look tries again;"
            f" or ask now: gatewright regress {state.target}",
        )
    if change.flow_run and not mine:
        found = await api.look_up(change.flow_run)
        if found is not None and found["state_type"] not in FINAL_STATES:
            return replace(change, problem="")
    return await _another(state, change, api, most)


async def _another(
    state: CanaryState, change: CanaryChange, api: PrefectApi, most: int
) -> CanaryChange:
    if change.starts >= MOST_STARTS:
        return replace(
            change, problem=f"{MOST_STARTS} regression runs failed; a person has to look"
        )
    if state.month_starts >= most:
        return replace(
            change,
            problem=f"the canary may start {counted(most, 'regression run')} in {state.month} (budget_regressions);"
            f" ask for one yourself: gatewright regress {state.target}",
        )
    number = change.starts + 1
    flow_run = await api.create_flow_run(
        DEPLOYMENT,
        {"target": state.target, "requested_by": "canary"},
        idempotency_key=change.key if number == 1 else f"{change.key}#{number}",
        name=f"{state.target} canary",
    )
    return replace(change, flow_run=flow_run, starts=number, problem="")


def _runs_since(registry: Registry, state: CanaryState, at: str) -> tuple[RunRecord, ...]:
    """The regression runs of a target that began after a time, newest first."""
    return tuple(
        run
        for run in registry.runs(state.target, 200)
        if run.kind == "regression"
        and run.created_at >= at
        and run.candidate_model in ("", state.model_id)
    )


def _under_way(registry: Registry, target: str) -> str | None:
    for run in registry.runs(target, 200):
        if run.kind == "regression" and not _outcome(registry, run):
            return run.run_id
    return None


def _outcome(registry: Registry, run: RunRecord) -> Regressed:
    """The recorded outcome of a regression run, "" while a process carries it out, "failed" when none does any more.

    A verdict alone is no outcome: a model that passes may have changed.
    """
    verdict, found = registry.verdict(run.run_id), registry.regression_outcome(run.run_id)
    if found is None:
        return "" if _goes_on(registry, run) else "failed"
    return "failed" if verdict is not None and verdict.outcome == "ERROR" else found.outcome


def _goes_on(registry: Registry, run: RunRecord) -> bool:
    """Whether a run without an outcome may still get one; a judged one only from the process that judged it."""
    lease = registry.lease(run.run_id)
    if lease is not None:
        return (run.under_way or bool(lease.holder)) and not died(lease)
    return run.under_way and not _silent(registry, run)


def _silent(registry: Registry, run: RunRecord) -> bool:
    quiet = datetime.fromisoformat(registry.now()) - datetime.fromisoformat(run.updated_at)
    return quiet > _BEGINS_WITHIN
