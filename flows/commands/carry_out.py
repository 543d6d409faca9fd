"""Carries a recorded run out, or goes on with it, in this process; shows it and leaves with its exit code."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from evals.errors import GatewrightError, LeaseLostError
from flows.commands.interrupts import going_on_with
from flows.commands.output import (
    EXIT_OF_REGRESSION,
    EXIT_OF_STATE,
    EXIT_OF_VERDICT,
    console,
    echo,
    emit,
    exit_with,
    run_data,
)
from flows.registry.opening import open_registry, require_run
from flows.registry.records import RunRecord
from flows.release.outcomes import as_told
from flows.reporting.live_display import follow
from flows.settings import Settings

__all__ = [
    "follow_flow_run",
    "go_on",
    "local_prefect",
    "run_evaluation",
    "run_promotion",
    "show_run",
]

WORKER_PATIENCE_S = 120.0


def run_promotion(settings: Settings, run_id: str, *, as_json: bool) -> None:
    """Carry a recorded promotion, or a selection and the promotion of who is chosen, out in this process.

    Shows it, and leaves with its exit code.
    """
    with going_on_with(f"gatewright resume {run_id}"), local_prefect(settings):
        from flows.promotion import promote as flow

        with open_registry(settings) as registry:
            run = require_run(registry, run_id)
        ref = {"selection": run_id} if run.kind == "selection" else run.trigger
        work = flow(target=run.target, requested_by=run.requested_by, **ref)
        done = asyncio.run(follow(settings, run_id, work, console(stderr=True), shown=not as_json))
    show_run(settings, done["run_id"], as_json)


def run_evaluation(settings: Settings, run_id: str, *, as_json: bool) -> None:
    """Carry a recorded evaluation out in this process, show it, and leave with its exit code."""
    # On a console the display says who is waited for.
    work = _evaluate(settings, run_id, partial(echo, err=True) if as_json else lambda words: None)
    screen = console(stderr=True)
    with going_on_with(f"gatewright resume {run_id}"):
        asyncio.run(follow(settings, run_id, work, screen, shown=not as_json, here=True))
    show_run(settings, run_id, as_json)


def go_on(settings: Settings, run: RunRecord, *, as_json: bool) -> None:
    """Carry a stored run on here and now; one that is over is finished, if it was not, and shown."""
    from flows.reporting.finish import finish_run

    if run.settled or (run.kind != "promotion" and _is_judged(settings, run.run_id)):
        asyncio.run(finish_run(settings, run.run_id))  # its process may have been killed before
        show_run(settings, run.run_id, as_json)
    elif run.kind == "evaluation":
        run_evaluation(settings, run.run_id, as_json=as_json)
    else:
        run_promotion(settings, run.run_id, as_json=as_json)


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
    from flows.orchestration.prefect_api import FINAL_STATES, PrefectApi

    loop = asyncio.get_running_loop()
    until = loop.time() + WORKER_PATIENCE_S
    async with PrefectApi.from_environment() as api:
        while True:
            state = str((await api.flow_run(flow_run_id))["state_type"])
            if state in FINAL_STATES or state == "PAUSED":
                return True
            if state in ("SCHEDULED", "PENDING") and loop.time() > until:
                return False
            await asyncio.sleep(0.5)


def show_run(settings: Settings, run_id: str, as_json: bool) -> None:
    """Print the outcome of a run and leave with its exit code."""
    with open_registry(settings) as registry:
        run, verdict = as_told(registry, require_run(registry, run_id)), registry.verdict(run_id)
        regression = registry.regression_outcome(run_id)
    if as_json:
        emit(run_data(run, verdict, regression))
    elif run.kind == "selection":
        from flows.commands.views.selection import selection_renderable

        with open_registry(settings) as registry:
            console().print(selection_renderable(registry, run_id))
    else:
        from evals.report.formats.terminal import verdict_renderable
        from evals.report.view import build_view
        from flows.evaluation.tries.as_judged import open_as_judged
        from flows.reporting.gather import gather

        with open_as_judged(settings, run_id) as opened:
            console().print(verdict_renderable(build_view(gather(opened))))
        echo(f"report: {run.report}")
    if regression is not None and verdict is not None and verdict.outcome != "ERROR":
        exit_with(EXIT_OF_REGRESSION[regression.outcome])
    by_verdict = verdict is not None and run.kind != "promotion"
    exit_with(
        EXIT_OF_VERDICT[verdict.outcome]
        if by_verdict and verdict
        else EXIT_OF_STATE.get(run.state, 4)
    )


async def _evaluate(settings: Settings, run_id: str, say: Callable[[str], None]) -> None:
    from flows.orchestration.target_lease import target_lease
    from flows.reporting.finish import close_run

    with open_registry(settings) as registry:
        target = require_run(registry, run_id).target
    async with target_lease(settings, target, run_id, alone=False, say=say) as lease:
        error = None
        try:
            if not _is_judged(settings, run_id):  # by whoever was waited for
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


def _is_judged(settings: Settings, run_id: str) -> bool:
    with open_registry(settings) as registry:
        return registry.verdict(run_id) is not None


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


_QUIET = {
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_ROOT_LEVEL": "CRITICAL",  # its websockets log tracebacks under a name of their own
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


_LOGGED = {"PREFECT_LOGGING_LOGGERS_PREFECT_FLOW_RUNS_LEVEL": "INFO"}
"""What a flow run says goes to its page on a server that stays; a temporary one takes its logs with it."""


@contextmanager
def local_prefect(settings: Settings) -> Iterator[None]:
    """Have a Prefect server, keep its own log out of a terminal that has our progress in it, and its telemetry off."""
    stays = bool(os.environ.get("PREFECT_API_URL"))
    for name, value in (_QUIET | _LOGGED if stays else _QUIET).items():
        os.environ.setdefault(name, value)
    logging.raiseExceptions = False  # a log line that the server did not take is no traceback
    from flows.orchestration.temporary_server import prefect_server

    with prefect_server(settings.home / "servers", lambda line: echo(line, err=True)):
        yield
