"""Every Prefect task: one step of a run each, thin, with the retries that Prefect makes.

A step is safe to do again, so a task is retried on trouble of the infrastructure and on nothing else. At most about a
hundred task runs make a flow run: the grain is a round of questions, never a case.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.settings import get_current_settings
from prefect.tasks import Task

from evals.errors import InfrastructureError, PlatformError, RegistryError
from evals.report.look_view import look_heading, look_lines
from flows.approvals import expiry, suspended_runs
from flows.evaluation import looks, request, steps
from flows.evaluation.kept import fresh_pass
from flows.evaluation.progress import last_look
from flows.housekeeping import answer_cache, sweep_target
from flows.monitoring import drift_watch, lifecycle
from flows.monitoring.canary.look import look_at_all
from flows.monitoring.canary.status import CanaryStatus
from flows.orchestration import artifacts
from flows.recovery import target_rollback
from flows.release import go_live as release
from flows.reporting import finish, gather, settling
from flows.selection import field, rungs
from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.service.dispatcher.watching import Look, watch_targets
from flows.settings import load_settings

__all__ = [
    "ask_canaries",
    "ask_round",
    "ask_rung",
    "check_drift",
    "check_lifecycle",
    "clean_up",
    "clean_up_field",
    "close_expired",
    "conclude",
    "deploy_candidate",
    "finish_stopped",
    "forget_answers",
    "go_live",
    "judge_look",
    "judge_rung",
    "open_field",
    "preflight",
    "report",
    "resolve",
    "resume_unanswerable",
    "roll_back",
    "settle_regression",
    "settle_selection",
    "start_new",
    "sweep_targets",
    "take_reference",
]


_REFUSALS = frozenset({400, 401, 403})
"""Statuses of a platform that mean what they say, even where nothing tells whether they last."""


async def _worth_retrying(task_: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    try:
        await state.aresult()
    except RegistryError:
        return False
    except PlatformError as error:
        return not error.lasting and error.status not in _REFUSALS
    except InfrastructureError:
        return True
    except Exception:  # a refusal, a mistake in a file: trying again changes nothing
        return False
    return False


_STEP: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": [2, 10],
    "retry_condition_fn": _worth_retrying,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


@task(name="resolve", **_STEP)
async def resolve(run_id: str) -> str:
    """Name the candidate and pin the baseline."""
    return await request.resolve(load_settings(), run_id)


@task(name="preflight", **_STEP)
async def preflight(run_id: str) -> list[str]:
    """Look at all that could stop the run before money is spent; returns the warnings."""
    found = await steps.preflight(load_settings(), run_id)
    return [f"{item.name}: {item.message}" for item in found if item.level == "warn"]


@task(name="deploy", **_STEP)
async def deploy_candidate(run_id: str) -> str:
    """Deploy the candidate to its developer slot."""
    return await steps.deploy_candidate(load_settings(), run_id)


@task(name="ask", **_STEP)
async def ask_round(run_id: str, look: int) -> bool:
    """Ask and grade one round; returns False when the budget ended it."""
    settings = load_settings()
    before = await asyncio.to_thread(last_look, settings.run_folder(run_id))
    notes = [] if before is None else [look_heading(before), *look_lines(before)]
    async with artifacts.showing_progress(run_id, notes) as progress:
        asked = await steps.ask_round(settings, run_id, look, progress=progress)
    return not any(summary.stopped for summary in asked)


@task(name="look", **_STEP)
async def judge_look(run_id: str, look: int) -> bool:
    """Judge what there is after a round; returns True when nothing more needs to be asked."""
    return await asyncio.to_thread(looks.judge_look, load_settings(), run_id, look)


@task(name="judge", **_STEP)
async def conclude(run_id: str) -> str:
    """Judge the run; returns the verdict's outcome."""
    verdict = await asyncio.to_thread(steps.conclude, load_settings(), run_id)
    return verdict.outcome


@task(name="go live", **_STEP)
async def go_live(run_id: str) -> str:
    """Promote, if verdict or answer allow it; returns the state that the promotion ended in."""
    outcome = await release.go_live(load_settings(), run_id)
    return outcome.state


@task(name="reference", **_STEP)
async def take_reference(run_id: str) -> str:
    """Ask the model that a run made live once more, as the reference of regression runs; returns why that failed, "" if not."""
    settings = load_settings()
    made = await fresh_pass.pass_over(settings, run_id)
    return "" if made is None else made.why


@task(name="close expired", **_STEP)
async def close_expired() -> list[str]:
    """Refuse the runs whose question to people expired; returns their ids."""
    return list(await expiry.close_expired(load_settings()))


@task(name="wake", **_STEP)
async def resume_unanswerable(target: str, flow_run_id: str) -> list[str]:
    """Have suspended flow runs of a target go on whose question is void by now, this one aside; returns their runs."""
    return list(await suspended_runs.resume_unanswerable(load_settings(), target, but=flow_run_id))


@task(name="report", **_STEP)
async def report(run_id: str, error: str | None = None) -> str:
    """Write the report and show it in Prefect; returns the path of the page."""
    settings = load_settings()
    page = await asyncio.to_thread(gather.report_run, settings, run_id, error=error)
    markdown = await asyncio.to_thread(page.with_name("report.md").read_text, "utf-8")
    await artifacts.publish_report(run_id, markdown)
    return str(page)


@task(name="clean up", **_STEP)
async def clean_up(run_id: str) -> None:
    """Delete the developer slot."""
    await steps.clean_up(load_settings(), run_id)


@task(name="settle regression", **_STEP)
async def settle_regression(run_id: str) -> str:
    """Act on what a regression run found, as the target file says; returns the word for it."""
    return await settling.settle(load_settings(), run_id)


@task(name="drift", **_STEP)
async def check_drift(
    target: str | None, settle_s: float = drift_watch.SETTLE_S
) -> tuple[drift_watch.DriftCheck, ...]:
    """Check whether what is live really stands and is read; what is new is announced first, then put on record."""
    settings = load_settings()
    checks = await drift_watch.check_all(settings, target, settle_s=settle_s)
    for one in checks:
        if one.news and one.alerts:
            facts = {"target": one.target, "model_id": one.model_id, "reason": one.reason}
            artifacts.alert(one.target, facts, event=artifacts.DRIFT_FOUND)
        await asyncio.to_thread(drift_watch.record_check, settings, one)
    return checks


@task(name="lifecycle", **_STEP)
async def check_lifecycle(target: str | None) -> tuple[lifecycle.LifecycleWarning, ...]:
    """Announce what draws near, each thing once: last days of models, questions about to expire, what is left over."""
    settings = load_settings()
    found = await lifecycle.new_warnings(settings, target)
    for one in found:
        artifacts.alert(one.target, msgspec.to_builtins(one), event=artifacts.LIFECYCLE_WARNING)
        await asyncio.to_thread(lifecycle.record_warning, settings, one)
    return found


@task(name="canary", cache_policy=NO_CACHE, persist_result=False)
async def ask_canaries(target: str | None) -> tuple[CanaryStatus, ...]:
    """Ask the few cases of a target's canary, or of all, and start a regression run where something changed."""
    settings = load_settings()
    async with _own_server() as api:
        found = await look_at_all(settings, api, target)
    for one in found:
        if one.news and one.change is not None:
            facts = {"target": one.target, "model_id": one.model_id, "reason": one.change.said}
            artifacts.alert(one.target, facts, event=artifacts.CANARY_CHANGED)
    return found


@task(name="finish", **_STEP)
async def finish_stopped(target: str | None) -> dict[str, str]:
    """Clean up and report what a killed process left undone, of a target or of all; returns run -> what went wrong, "" for nothing."""
    return await finish.finish_stopped(load_settings(), target)


@task(name="sweep", **_STEP)
async def sweep_targets(target: str | None) -> tuple[sweep_target.SweepOutcome, ...]:
    """Delete what nobody needs any more and keep warm what a rollback may need; returns what was done."""
    return await sweep_target.sweep_all(load_settings(), target)


@task(name="open field", **_STEP)
async def open_field(selection: str) -> int:
    """Name the candidates of a field and write down who chooses and who judges; returns the number of rungs."""
    return await field.open_field(load_settings(), selection)


@task(name="ask field", **_STEP)
async def ask_rung(selection: str, rung: int) -> None:
    """Ask the candidates that are left what a rung adds."""
    async with artifacts.showing_progress(selection, []) as progress:
        await rungs.ask_rung(load_settings(), selection, rung, progress=progress)


@task(name="drop", **_STEP)
async def judge_rung(selection: str, rung: int) -> bool:
    """Drop the worse half of a field; returns True when nobody needs to be asked any more."""
    return await asyncio.to_thread(rungs.judge_rung, load_settings(), selection, rung)


@task(name="choose", **_STEP)
async def settle_selection(selection: str) -> int | None:
    """Put on record which candidate is to be judged; returns its place in the field, None for nobody."""
    return await asyncio.to_thread(rungs.settle, load_settings(), selection)


@task(name="clean up field", **_STEP)
async def clean_up_field(selection: str) -> None:
    """Delete the developer slots of a field."""
    await rungs.clean_up_field(load_settings(), selection)


@task(name="forget", **_STEP)
async def forget_answers() -> answer_cache.PruneOutcome:
    """Forget stored answers that no target reuses any more."""
    return await asyncio.to_thread(answer_cache.prune_answers, load_settings())


@task(name="roll back", cache_policy=NO_CACHE, persist_result=False)
async def roll_back(
    target: str, to: str | None, reason: str, actor: str, from_generation: int | None = None
) -> str:
    """Return to an earlier model; returns the model that is live now."""
    settings = load_settings()
    outcome = await target_rollback.roll_back_target(
        settings, target, to=to, reason=reason, actor=actor, from_generation=from_generation
    )
    target_rollback.finish_rollback(settings, target, outcome)
    return outcome.pointer.model_id


@task(name="start new", **_STEP)
async def start_new(target: str | None) -> tuple[Look, ...]:
    """Start a promotion for every fine-tune that finished since the last look; what each target's look came to."""
    async with _own_server() as api:
        return await watch_targets(load_settings(), api, target)


def _own_server() -> PrefectRuns:
    """The server that this very flow run is known to, whether a variable, a profile or a test named it."""
    api = get_current_settings().api
    secret = api.auth_string.get_secret_value() if api.auth_string is not None else ""
    return PrefectRuns(str(api.url), auth=secret) if api.url else PrefectRuns.from_environment()
