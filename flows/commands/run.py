"""Commands that run something here and now: promote, evaluate, regress."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from evals.errors import ConfigurationError, Problem
from flows.commands.candidate_options import (
    AGAIN,
    AGAINST,
    BASE_MODEL,
    CANDIDATES,
    CHECKPOINT,
    CHECKPOINTS,
    EARLY_STOP,
    EARLY_STOP_OR_AS_BEGUN,
    FRESH,
    JOB,
    JOBS,
    MODEL,
    field_names,
    reference,
    request,
)
from flows.commands.carry_out import go_on, local_prefect, run_evaluation, run_promotion, show_run
from flows.commands.interrupts import going_on_with
from flows.commands.options import stamp
from flows.commands.output import (
    JSON_OPTION,
    echo,
    emit,
    exit_with,
)
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry, require_live, require_run
from flows.registry.records import RunRecord
from flows.settings import Settings, load_settings

if TYPE_CHECKING:
    from flows.service.dispatcher.starting import Started

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example: gatewright promote support-triage --job ftjob-9b6f…")(promote)
    app.command(
        epilog="Example: gatewright evaluate support-triage --model gpt-4.1-mini-2025-04-14.ft-…"
    )(evaluate)
    app.command(epilog="Example: gatewright regress support-triage")(regress)


def promote(
    target: str = typer.Argument(..., help="The target the candidate is for."),
    job: list[str] | None = JOBS,
    model: str | None = MODEL,
    checkpoint: str | None = CHECKPOINT,
    base_model: str | None = BASE_MODEL,
    candidates: str | None = CANDIDATES,
    checkpoints: str | None = CHECKPOINTS,
    again: bool = AGAIN,
    fresh: bool = FRESH,
    early_stop: bool = EARLY_STOP,
    against: str = AGAINST,
    submit: bool = typer.Option(
        False, "--submit", help="Hand it to a Prefect worker and return at once."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Take one candidate the whole way: try it, judge it, make it live or refuse it.

    Of several candidates one is chosen first, on cases that take no part in judging it.
    """
    settings, mark = load_settings(), stamp() if again else ""
    _require_prefect(settings, target, submit=submit)
    jobs = list(job or [])
    names = field_names(jobs, model, checkpoint, candidates, checkpoints, base_model)
    parameters: dict[str, Any] = {"target": target, "requested_by": settings.actor}
    if names and against:
        raise ConfigurationError(
            Problem(
                where="--against",
                message="expected one candidate; found several to choose from",
                fix="choose first, without --against; then promote the chosen one by --model, with --against",
            )
        )
    if names:
        run_id = _request_selection(
            settings, target, names, mark, fresh=fresh, early_stop=early_stop
        )
        parameters["selection"] = run_id
    else:
        ref = reference(jobs[0] if jobs else None, model, checkpoint, base_model)
        options = {"fresh": fresh, "early_stop": early_stop}
        run_id = request(settings, target, ref, mark, against=against, **options)
        parameters |= {
            "job_id": ref.job_id,
            "model_id": ref.model_id,
            "checkpoint": ref.checkpoint,
            "base_model": ref.base_model,
            "again": mark,
            "fresh": "yes" if fresh else "",
            "early_stop": "" if early_stop else "off",
            "against": _mark_of(settings, run_id) if against else "",
        }
    if submit:
        _show_submitted(run_id, asyncio.run(_submit(settings, run_id, parameters)), as_json=as_json)
        return
    run_promotion(settings, run_id, as_json=as_json)


def _mark_of(settings: Settings, run_id: str) -> str:
    """The very baseline that a recorded run was given: "frozen" alone may mean another one by the time it is carried out."""
    with open_registry(settings) as registry:
        return str(require_run(registry, run_id).trigger.get("against", ""))


def evaluate(
    target: str = typer.Argument(..., help="The target whose suites and gate are used."),
    job: str | None = JOB,
    model: str | None = MODEL,
    checkpoint: str | None = CHECKPOINT,
    base_model: str | None = BASE_MODEL,
    again: bool = typer.Option(
        True,
        "--again/--resume",
        help="Ask anew, or go on with the last evaluation of this candidate as `resume` does.",
    ),
    fresh: bool = FRESH,
    early_stop: bool | None = EARLY_STOP_OR_AS_BEGUN,
    against: str = AGAINST,
    as_json: bool = JSON_OPTION,
) -> None:
    """Measure a candidate against the live model and judge it, without promoting anything. Needs no Prefect."""
    settings, ref = load_settings(), reference(job, model, checkpoint, base_model)
    earlier = None if again else _last_evaluation(settings, target, ref)
    if earlier is not None:
        _refuse_other_options(earlier, fresh=fresh, early_stop=early_stop, against=against)
        go_on(settings, earlier, as_json=as_json)
        return
    options = {"fresh": fresh, "early_stop": early_stop is not False}
    mark = stamp() if again else ""
    run_id = request(settings, target, ref, mark, kind="evaluation", against=against, **options)
    run_evaluation(settings, run_id, as_json=as_json)


def _last_evaluation(settings: Settings, target: str, ref: TriggerRef) -> RunRecord | None:
    """The newest evaluation of the candidate that is named like this, whatever options it was begun with."""
    from flows.evaluation.request import names_candidate

    with open_registry(settings) as registry:
        for run in registry.runs(target, None):
            if run.kind == "evaluation" and names_candidate(run, ref):
                return run
    return None


def _refuse_other_options(
    run: RunRecord, *, fresh: bool, early_stop: bool | None, against: str
) -> None:
    """Raise ConfigurationError for an option that is not how a run was begun."""
    was_fresh, stops = "fresh" in run.trigger, run.trigger.get("early_stop") != "off"
    wrong = ["--fresh"] if fresh and not was_fresh else []
    if early_stop is not None and early_stop != stops:
        wrong.append("--early-stop" if early_stop else "--no-early-stop")
    held = str(run.trigger.get("against", ""))
    if against and against not in (held, held.partition(":")[0]):
        wrong.append("--against")
    if wrong:
        had = [*(["--fresh"] if was_fresh else []), *([] if stops else ["--no-early-stop"])]
        had += [f"--against {held}"] if held else []
        begun = " and ".join(had) or "neither --fresh nor --no-early-stop"
        raise ConfigurationError(
            Problem(
                where="arguments",
                message=f"--resume goes on with {run.run_id}, which was begun with {begun}",
                fix=f"leave {' and '.join(wrong)} out, or leave --resume out to begin another evaluation",
            )
        )


def regress(
    target: str = typer.Argument(..., help="The target whose live model is asked again."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Ask the live model its suites again and compare it with its recorded answers and its gate.

    Exit codes: 0 steady, or changed but not worse · 1 worse · 2 can't tell · 3 wrong input · 4 infrastructure.
    """
    from flows.evaluation.open_run import load_plan

    settings = load_settings()
    load_plan(settings, target)  # what is wrong with a file is said before a server is started
    with open_registry(settings) as registry:
        require_live(registry, target)
    with (
        going_on_with(f"gatewright regress {target}", "what is live is as it was"),
        local_prefect(settings),
    ):
        from flows.regression import regress as flow

        echo(f"{target}: asking the live model again …", err=True)
        found = asyncio.run(flow(target=target, requested_by=settings.actor))
    show_run(settings, found["run_id"], as_json)


def _request_selection(
    settings: Settings,
    target: str,
    names: Sequence[str],
    again: str,
    *,
    fresh: bool,
    early_stop: bool,
) -> str:
    """Record the choice among several candidates, or find the one that the same command already began."""
    from flows.selection.request import request_selection

    run, _created = request_selection(
        settings,
        target,
        names,
        actor=settings.actor,
        again=again,
        fresh=fresh,
        early_stop=early_stop,
    )
    return run.run_id


def _require_prefect(settings: Settings, target: str, *, submit: bool) -> None:
    """See that the named Prefect answers before a run is on record that nobody carries out."""
    from flows.evaluation.open_run import load_plan

    own = os.environ.get("PREFECT_API_URL") and not os.environ.get("PREFECT_API_KEY")
    if submit or own:
        asyncio.run(_reach_prefect())
        return
    load_plan(settings, target)  # what is wrong with a file is said before Prefect is loaded
    from flows.orchestration.temporary_server import reach_named

    reach_named()


async def _reach_prefect() -> None:
    from flows.orchestration.prefect_api import PrefectApi

    async with PrefectApi.from_environment() as api:
        await api.reach()


def _show_submitted(run_id: str, done: Started, *, as_json: bool) -> None:
    submitted = done.under_way
    if as_json:
        emit({"run_id": run_id, "submitted": submitted, "said": done.words})
    elif submitted:
        echo(f"submitted as {run_id} ({done.words})")
    else:
        why = f"run {run_id} is already {done.settled}" if done.settled else done.said
        echo(f"{why[:1].upper()}{why[1:]}; nothing was submitted.")
    # A run that is over needs nothing; one that nobody carries out does.
    exit_with(0 if submitted or done.settled else 4)


async def _submit(settings: Settings, run_id: str, parameters: dict[str, Any]) -> Started:
    """Have a worker carry a recorded run out; returns what becomes of it."""
    from flows.service.dispatcher.prefect_runs import PrefectRuns
    from flows.service.dispatcher.starting import StartOrder, start

    target = str(parameters["target"])
    order = StartOrder(target=target, run_id=run_id, key=run_id, parameters=parameters, name=run_id)
    async with PrefectRuns.from_environment() as api:
        with open_registry(settings) as registry:
            return await start(api, registry, settings, order)
