"""Asking both models of a run: where they answer, what may be spent, and what asking a round came to."""

from __future__ import annotations

from datetime import UTC, datetime

from evals.errors import PlatformError
from evals.evaluation.evaluation import EvaluatedModel
from evals.evaluation.lost_answers import ask_lost_again
from evals.records import Role
from evals.sampling.accounting import read_usage
from evals.sampling.budget import Budget
from evals.sampling.fatal_errors import EndpointGoneError
from evals.sampling.progress.snapshot import ProgressSink
from evals.sampling.response_store import ResponseStore
from evals.sampling.summary import SamplingSummary
from flows.deployments.identity import own_tags, slot_name
from flows.evaluation.judges import judge_costs
from flows.evaluation.lost_answers.slow_round import lost_answers_plan
from flows.evaluation.open_run import OpenRun
from flows.evaluation.progress import run_progress, waits_shown
from flows.evaluation.request import note_weights
from flows.platforms.base import Connection
from flows.platforms.lifetimes import DEVELOPER_LIFE, EXPIRES_TAG
from flows.platforms.model_names import same_id
from flows.registry.frozen import of_model

__all__ = [
    "ask_models",
    "budget_of",
    "candidate_connection",
    "sampling_summaries",
    "stop_reasons",
]

_REDEPLOYS = 3


async def ask_models(
    run: OpenRun, look: int, progress: ProgressSink | None, budget: Budget
) -> tuple[SamplingSummary, ...]:
    """Ask both models a round, and after the last one, slowly, for the answers that were lost.

    A developer slot that is gone is deployed again, a few times.
    """
    for attempt in range(_REDEPLOYS + 1):
        models: dict[Role, EvaluatedModel] = {
            "candidate": run.evaluated_model("candidate", await candidate_connection(run))
        }
        if run.asks_baseline:
            models["baseline"] = run.evaluated_model("baseline", await _baseline_connection(run))
        try:
            with ResponseStore(run.settings.home / "responses") as store:
                sink = run_progress(run.folder, progress)
                asked = await run.evaluation.ask(
                    look, models, progress=sink, budget=budget, store=store
                )
                if look == run.evaluation.rounds and not any(one.stopped for one in asked):
                    plan = lost_answers_plan(run.target)
                    await ask_lost_again(
                        run.evaluation,
                        look,
                        models,
                        plan,
                        progress=sink,
                        budget=budget,
                        store=store,
                    )
                return asked
        except EndpointGoneError as error:
            if attempt == _REDEPLOYS:
                raise _with_way_out(run, error) from error
    raise AssertionError("unreachable: the last attempt returns or raises")


def _with_way_out(run: OpenRun, error: EndpointGoneError) -> EndpointGoneError:
    """The same error; where it is the baseline that is gone, and is frozen, with what takes its place."""
    gone = error.endpoint.model_id
    frozen = of_model(run.registry.frozen(run.target.name), gone)
    if frozen is None or not same_id(gone, run.record.baseline_model or ""):
        return error
    return EndpointGoneError(
        f"{error}; its answers are frozen ({frozen.baseline.frozen_id}): a new run takes them, begun with --again",
        error.endpoint,
    )


async def candidate_connection(run: OpenRun) -> Connection:
    """Connect to the candidate's slot, deploying it if it does not stand; a regression asks the live deployment."""
    model, target = run.record.candidate_model, run.target
    if run.record.kind == "regression":
        return await _live_connection(run, model)
    wanted_until = datetime.now(UTC) + DEVELOPER_LIFE
    tags = {
        **own_tags(target.name, run.record.run_id, "candidate"),
        EXPIRES_TAG: wanted_until.isoformat(timespec="seconds"),
    }
    with waits_shown(run.folder):
        deployment = await run.platform.deploy(
            slot_name(run.record), model, target.developer, tags=tags
        )
        connection = await run.platform.wait_ready(deployment)
    note_weights(run, deployment.shown_as, connection.answers_as)
    return connection


async def _baseline_connection(run: OpenRun) -> Connection:
    return await _live_connection(run, run.record.baseline_model or "")


async def _live_connection(run: OpenRun, model: str) -> Connection:
    pointer = run.registry.find(run.target.name, model)
    if pointer is None:
        raise PlatformError(
            f"{model} was never live for {run.target.name}, so it has no deployment to ask"
        )
    return run.platform.connect(pointer.deployment or model, model, "production")


def budget_of(run: OpenRun) -> Budget:
    """What the run may still spend: its judges' part is counted here, the models' when their journals are opened."""
    stated = run.target.sampling
    budget = Budget(usd=stated.get("budget_usd"), tokens=stated.get("budget_tokens"))
    judges = judge_costs(run.folder)
    budget.spend(judges.cost_usd or 0.0, judges.tokens)
    return budget


def sampling_summaries(run: OpenRun) -> tuple[SamplingSummary, ...]:
    """What asking came to, call by call, those of killed processes included as far as it can be known."""
    return read_usage(run.folder / "journal")


def stop_reasons(run: OpenRun) -> tuple[str, ...]:
    """Why rounds were ended early; a round that was taken up again and went on does not count.

    Nor does the slow round: without it, what is missing counts at its worst, and that is all.
    """
    last = {one.look: one for one in sampling_summaries(run) if not one.lost_round}
    return tuple(summary.reason for summary in last.values() if summary.stopped)
