"""Commands that run something here and now: promote, evaluate, regress."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import typer

from evals.errors import GatewrightError, LeaseLostError
from flows.commands.candidate_options import (
    AGAIN,
    CANDIDATES,
    CHECKPOINT,
    CHECKPOINTS,
    EARLY_STOP,
    FRESH,
    JOB,
    JOBS,
    MODEL,
    field_names,
    reference,
    request,
)
from flows.commands.interrupts import going_on_with
from flows.commands.options import stamp
from flows.commands.output import (
    EXIT_OF_STATE,
    EXIT_OF_VERDICT,
    JSON_OPTION,
    console,
    echo,
    emit,
    exit_with,
    run_data,
)
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry, require_run
from flows.registry.records import RunRecord
from flows.release.outcomes import as_told
from flows.reporting.live_display import follow
from flows.settings import Settings, load_settings

__all__ = ["follow_flow_run", "go_on", "register", "run_evaluation", "run_promotion", "show_run"]

WORKER_PATIENCE_S = 120.0


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
    candidates: str | None = CANDIDATES,
    checkpoints: str | None = CHECKPOINTS,
    again: bool = AGAIN,
    fresh: bool = FRESH,
    early_stop: bool = EARLY_STOP,
    submit: bool = typer.Option(
        False, "--submit", help="Hand it to a Prefect worker and return at once."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Take one candidate the whole way: try it, judge it, make it live or refuse it.

    Of several candidates one is chosen first, on cases that take no part in judging it.
    """
    settings, mark = load_settings(), stamp() if again else ""
    if submit:
        asyncio.run(_reach_prefect())  # before a run is on record that nobody carries out
    jobs = list(job or [])
    names = field_names(jobs, model, checkpoint, candidates, checkpoints)
    parameters: dict[str, Any] = {"target": target, "requested_by": settings.actor}
    if names:
        run_id = _request_selection(
            settings, target, names, mark, fresh=fresh, early_stop=early_stop
        )
        parameters["selection"] = run_id
    else:
        ref = reference(jobs[0] if jobs else None, model, checkpoint)
        run_id = request(settings, target, ref, mark, fresh=fresh, early_stop=early_stop)
        parameters |= {
            "job_id": ref.job_id,
            "model_id": ref.model_id,
            "checkpoint": ref.checkpoint,
            "again": mark,
            "fresh": "yes" if fresh else "",
            "early_stop": "" if early_stop else "off",
        }
    if submit:
        said = asyncio.run(_submit(settings, run_id, parameters))
        emit({"run_id": run_id, "submitted": True, "said": said}) if as_json else echo(
            f"submitted as {run_id} ({said})"
        )
        return
    run_promotion(settings, run_id, as_json=as_json)


def run_promotion(settings: Settings, run_id: str, *, as_json: bool) -> None:
    """Carry a recorded promotion, or a selection and the promotion of who is chosen, out in this process.

    Shows it, and leaves with its exit code.
    """
    with going_on_with(f"gatewright resume {run_id}"), _prefect(settings):
        from flows.promotion import promote as flow

        with open_registry(settings) as registry:
            run = require_run(registry, run_id)
        ref = {"selection": run_id} if run.kind == "selection" else run.trigger
        work = flow(target=run.target, requested_by=run.requested_by, **ref)
        done = asyncio.run(follow(settings, run_id, work, console(stderr=True), shown=not as_json))
    show_run(settings, done["run_id"], as_json)


def follow_flow_run(settings: Settings, run_id: str, flow_run_id: str, *, as_json: bool) -> None:
    """Show a promotion that a flow run on a worker carries out, and leave with its exit code."""
    work = _until_over(flow_run_id)
    kept = "the worker carries the run on"
    with going_on_with(f"gatewright report {run_id}", kept):
        taken = asyncio.run(follow(settings, run_id, work, console(stderr=True), shown=not as_json))
    if not taken:
        echo(
            f"no worker has taken up flow run {flow_run_id} yet; it goes on once one does", err=True
        )
    show_run(settings, run_id, as_json)


async def _until_over(flow_run_id: str) -> bool:
    """Wait for a flow run; False when no worker takes it up in time."""
    from flows.orchestration.prefect_api import FINAL_STATES, prefect_api_from_environment

    loop = asyncio.get_running_loop()
    until = loop.time() + WORKER_PATIENCE_S
    async with prefect_api_from_environment() as api:
        while True:
            state = str((await api.flow_run(flow_run_id))["state_type"])
            if state in FINAL_STATES or state == "PAUSED":
                return True
            if state in ("SCHEDULED", "PENDING") and loop.time() > until:
                return False
            await asyncio.sleep(0.5)


def evaluate(
    target: str = typer.Argument(..., help="The target whose suites and gate are used."),
    job: str | None = JOB,
    model: str | None = MODEL,
    checkpoint: str | None = CHECKPOINT,
    again: bool = typer.Option(
        True,
        "--again/--resume",
        help="Ask anew, or go on with the last evaluation of this candidate as `resume` does.",
    ),
    fresh: bool = FRESH,
    early_stop: bool = EARLY_STOP,
    as_json: bool = JSON_OPTION,
) -> None:
    """Measure a candidate against the live model and judge it, without promoting anything. Needs no Prefect."""
    settings = load_settings()
    ref, options = reference(job, model, checkpoint), {"fresh": fresh, "early_stop": early_stop}
    earlier = None if again else _last_evaluation(settings, target, ref, **options)
    if earlier is not None:
        go_on(settings, earlier, as_json=as_json)
        return
    mark = stamp() if again else ""
    run_id = request(settings, target, ref, mark, kind="evaluation", **options)
    run_evaluation(settings, run_id, as_json=as_json)


def _last_evaluation(
    settings: Settings, target: str, ref: TriggerRef, *, fresh: bool, early_stop: bool
) -> RunRecord | None:
    """The newest evaluation that the same command began, whenever that was."""
    from flows.evaluation.request import trigger_of

    asked = trigger_of(ref, fresh=fresh, early_stop=early_stop)
    with open_registry(settings) as registry:
        for run in registry.runs(target, None):
            same = {key: value for key, value in run.trigger.items() if key != "again"} == asked
            if run.kind == "evaluation" and same:
                return run
    return None


def go_on(settings: Settings, run: RunRecord, *, as_json: bool) -> None:
    """Carry a stored run on here and now; one that is over is finished, if it was not, and shown."""
    from flows.reporting.finish import finish_run

    with open_registry(settings) as registry:
        judged = registry.verdict(run.run_id) is not None
    if run.settled or (run.kind == "evaluation" and judged):
        asyncio.run(finish_run(settings, run.run_id))  # its process may have been killed before
        show_run(settings, run.run_id, as_json)
    elif run.kind == "evaluation":
        run_evaluation(settings, run.run_id, as_json=as_json)
    else:
        run_promotion(settings, run.run_id, as_json=as_json)


def run_evaluation(settings: Settings, run_id: str, *, as_json: bool) -> None:
    """Carry a recorded evaluation out in this process, show it, and leave with its exit code."""
    work = _evaluate(settings, run_id)
    with going_on_with(f"gatewright resume {run_id}"):
        asyncio.run(follow(settings, run_id, work, console(stderr=True), shown=not as_json))
    show_run(settings, run_id, as_json)


def regress(
    target: str = typer.Argument(..., help="The target whose live model is asked again."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Ask the live model its suites again and say whether it still holds."""
    from flows.evaluation.open_run import load_plan

    settings = load_settings()
    load_plan(settings, target)  # what is wrong with a file is said before a server is started
    with (
        going_on_with(f"gatewright regress {target}", "what is live is as it was"),
        _prefect(settings),
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


async def _evaluate(settings: Settings, run_id: str) -> None:
    from flows.orchestration.target_lease import target_lease
    from flows.reporting.finish import close_run

    with open_registry(settings) as registry:
        target = require_run(registry, run_id).target
    say = partial(echo, err=True)
    async with target_lease(settings, target, run_id, alone=False, say=say) as lease:
        error = None
        try:
            await _measure_and_judge(settings, run_id)
        except LeaseLostError:
            raise
        except GatewrightError as failure:
            error = str(failure)
            with open_registry(settings) as registry:
                registry.set_run_state(run_id, "failed", error[:500])
            raise
        finally:
            if not lease.lost:
                await close_run(settings, run_id, error)
                lease.finished = True


async def _measure_and_judge(settings: Settings, run_id: str) -> None:
    from flows.evaluation import looks, request, steps

    await request.resolve(settings, run_id)
    await steps.preflight(settings, run_id)
    await steps.deploy_candidate(settings, run_id)
    for look in steps.rounds_due(settings, run_id):
        asked = await steps.ask_round(settings, run_id, look)
        if any(summary.stopped for summary in asked) or looks.judge_look(settings, run_id, look):
            break
    steps.conclude(settings, run_id)


async def _reach_prefect() -> None:
    from flows.orchestration.prefect_api import prefect_api_from_environment

    async with prefect_api_from_environment() as api:
        await api.reach()


async def _submit(settings: Settings, run_id: str, parameters: dict[str, Any]) -> str:
    """Have a worker carry a recorded run out; returns in words what becomes of it."""
    from flows.service.dispatcher.prefect_runs import PrefectRuns
    from flows.service.dispatcher.starting import StartOrder, start

    target = str(parameters["target"])
    order = StartOrder(target=target, run_id=run_id, key=run_id, parameters=parameters, name=run_id)
    async with PrefectRuns.from_environment() as api:
        with open_registry(settings) as registry:
            return await start(api, registry, settings, order)


def show_run(settings: Settings, run_id: str, as_json: bool) -> None:
    """Print what a run came to and leave with the exit code that says so."""
    with open_registry(settings) as registry:
        run, verdict = as_told(registry, require_run(registry, run_id)), registry.verdict(run_id)
    if as_json:
        emit(run_data(run, verdict))
    elif run.kind == "selection":
        from flows.commands.views.selection import selection_renderable

        with open_registry(settings) as registry:
            console().print(selection_renderable(registry, run_id))
    else:
        from evals.report.formats.terminal import verdict_renderable
        from evals.report.view import build_view
        from flows.evaluation.open_run import open_run
        from flows.reporting.gather import gather

        with open_run(settings, run_id) as opened:
            console().print(verdict_renderable(build_view(gather(opened))))
        echo(f"report: {run.report}")
    by_verdict = verdict is not None and run.kind != "promotion"
    exit_with(
        EXIT_OF_VERDICT[verdict.outcome]
        if by_verdict and verdict
        else EXIT_OF_STATE.get(run.state, 4)
    )


_QUIET = {
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_ROOT_LEVEL": "CRITICAL",  # its websockets log tracebacks under a name of their own
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


@contextmanager
def _prefect(settings: Settings) -> Iterator[None]:
    """Have a Prefect server, keep its own log out of a terminal that has our progress in it, and its telemetry off."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    logging.raiseExceptions = False  # a log line that the server did not take is no traceback
    from flows.orchestration.temporary_server import prefect_server

    with prefect_server(settings.home / "servers", lambda line: echo(line, err=True)):
        yield
