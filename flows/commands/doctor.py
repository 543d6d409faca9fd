"""`gatewright doctor`: everything that could stop a run, looked at before one is started."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from evals.errors import (
    ConfigurationError,
    CredentialError,
    GatewrightError,
    PlatformError,
    RefusedError,
    UnknownModelError,
)
from evals.records import Candidate, Role, SuiteResult
from evals.report.numbers import counted
from flows.commands.candidate_options import BASE_MODEL, CHECKPOINT, JOB, MODEL, reference
from flows.commands.output import JSON_OPTION
from flows.commands.views.findings import show_findings
from flows.config.target import target_names
from flows.deployments.pausing import pausing_findings
from flows.orchestration.prefect_api import PrefectApi
from flows.platforms.base import Deployment, Finding, Platform, TriggerRef
from flows.platforms.model_names import base_of
from flows.registry.opening import open_registry
from flows.settings import Settings, load_settings

if TYPE_CHECKING:
    from flows.evaluation.open_run import TargetPlan
    from flows.platforms.base import HostingPlatform

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog="Example: gatewright doctor support-triage --model gpt-4.1-mini-2025-04-14.ft-…"
    )(doctor)


def doctor(
    target: str | None = typer.Argument(None, help="A target; all of them when left out."),
    job: str | None = JOB,
    model: str | None = MODEL,
    checkpoint: str | None = CHECKPOINT,
    base_model: str | None = BASE_MODEL,
    ask: bool = typer.Option(
        True,
        "--ask/--no-ask",
        help="Ask the named candidate one real question where it answers already, or ask nothing.",
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Check files, registry, credentials and platform of a target, with a fix for each thing that is wrong.

    Named a candidate, or with a model live, it looks at all that could stop a run of it. A candidate that is named, and
    answers already, is asked one question.
    """
    settings = load_settings()
    named = any(value is not None for value in (job, model, checkpoint))
    ref = reference(job, model, checkpoint, base_model) if named else None
    names = (target,) if target is not None else target_names(settings.targets)
    found = {name: _look(settings, name, ref, ask=ask) for name in names}
    found["installation"] = _installation(settings)
    show_findings(found, as_json=as_json, exit_on_fail=3)


def _look(
    settings: Settings, name: str, ref: TriggerRef | None, *, ask: bool
) -> tuple[Finding, ...]:
    from flows.evaluation.estimate import last_results
    from flows.evaluation.obstacles import hold_findings
    from flows.evaluation.open_run import load_plan
    from flows.freezing.advice import freeze_advice
    from flows.registry.provenance import base_model_of

    try:
        plan = load_plan(settings, name)
    except ConfigurationError as error:
        return tuple(
            Finding(
                name="files",
                level="fail",
                message=str(replace(problem, fix=None)),
                fix=problem.fix or "",
            )
            for problem in error.problems
        )
    live: Candidate | None = None
    standing: str | None = None
    seen: Sequence[SuiteResult] = ()
    advice: Finding | None = None
    held: tuple[Finding, ...] = ()
    with suppress(GatewrightError), open_registry(settings) as registry:  # reported below
        pointer, seen = registry.live(name), last_results(registry, name)
        if pointer is not None:
            base = base_model_of(registry, name, pointer.model_id)
            live = Candidate(model_id=pointer.model_id, target=name, base_model=base)
            standing = pointer.deployment
        held = hold_findings(registry, name)
        advice = freeze_advice(registry, plan.target, today=datetime.now(UTC).date())
    found = asyncio.run(_platform(plan, ref, live, seen, standing, ask=ask))
    return (*_files(plan), *held, *found, *([advice] if advice is not None else []))


def _files(plan: TargetPlan) -> tuple[Finding, ...]:
    cases = sum(len(opened.suite.cases) for opened in plan.suites)
    return (
        Finding(name="target", level="ok", message=plan.target.path),
        *_unread(plan),
        Finding(
            name="gate", level="ok", message=f"{plan.policy.path}, {len(plan.policy.checks)} checks"
        ),
        Finding(
            name="suites",
            level="ok",
            message=f"{counted(len(plan.suites), 'suite')}, {counted(cases, 'case')}",
        ),
    )


def _unread(plan: TargetPlan) -> tuple[Finding, ...]:
    """A key that promises a schedule and makes none."""
    if "cron" not in plan.target.regression:
        return ()
    return (
        Finding(
            name="schedule",
            level="warn",
            message=f"{plan.target.path}: 'regression.cron' is not read: regression runs have their schedule in prefect.yaml",
            fix="remove the key, and see that the deployment 'regression' in prefect.yaml has a schedule for this target",
        ),
    )


async def _platform(
    plan: TargetPlan,
    ref: TriggerRef | None,
    live: Candidate | None,
    seen: Sequence[SuiteResult],
    standing: str | None,
    *,
    ask: bool,
) -> tuple[Finding, ...]:
    """The platform's own preflight for a model, and what a run would take; without one, whether the account answers."""
    from flows.platforms.asking.one_question import asked_once
    from flows.platforms.fine_tuning.jobs import walk_jobs
    from flows.platforms.table import open_platform

    try:
        platform = open_platform(plan.target.platform, plan.target.options, os.environ)
    except GatewrightError as error:
        return _troubles(error)
    try:
        absent = await platform.reach()
        if absent is not None:
            return (absent,)
        candidate = live if ref is None else await _resolved(platform, ref, plan.target.name)
        if candidate is None:
            await anext(
                aiter(walk_jobs(platform, page=1)), None
            )  # asks the data plane, credential and all
            every = await platform.list_deployments()
            here = Finding(name="platform", level="ok", message=_standing(platform.name, every))
            return (here, *await pausing_findings(plan.target, platform))
        found = await _preflight(plan, platform, candidate, live, seen)
        if ask and ref is not None:
            found += await asked_once(platform, candidate, found, live=standing)
        return found
    except RefusedError as error:
        refusal = Finding(name="model", level="fail", message=error.message, fix=error.hint or "")
        return (refusal, *await _aside(plan, platform, ref, live, seen))
    except GatewrightError as error:
        return _troubles(error)
    finally:
        await platform.aclose()


async def _aside(
    plan: TargetPlan,
    platform: HostingPlatform,
    ref: TriggerRef | None,
    live: Candidate | None,
    seen: Sequence[SuiteResult],
) -> tuple[Finding, ...]:
    """What does not depend on a candidate that can't be had (yet): all of the platform's lines but that on the model."""
    from flows.platforms.fine_tuning.jobs import get_job

    if ref is None or ref.job_id is None:
        return ()
    try:
        job = await get_job(platform, ref.job_id)
        base = base_of(job.base_model or "") or job.base_model or ""
        to_be = Candidate(
            model_id=f"{base}.ft-{job.id.removeprefix('ftjob-')}",
            target=plan.target.name,
            base_model=base,
            job_id=job.id,
        )
        found = await _preflight(plan, platform, to_be, live, seen)
    except GatewrightError:  # the refusal before says what is wrong
        return ()
    return tuple(one for one in found if one.name != "model")


def _troubles(error: GatewrightError) -> tuple[Finding, ...]:
    """What kept us from looking, with what to do about it in a line of its own."""
    if isinstance(error, ConfigurationError):
        return tuple(
            Finding(
                name="platform",
                level="fail",
                message=f"{problem.where}: {problem.message}",
                fix=problem.fix or "",
            )
            for problem in error.problems
        )
    if isinstance(error, PlatformError):
        fix = error.hint or ""
        return (Finding(name="platform", level="fail", message=error.message, fix=fix),)
    return (Finding(name="platform", level="fail", message=str(error)),)


async def _resolved(platform: Platform, ref: TriggerRef, target: str) -> Candidate:
    """The candidate as a run would find it; a model id that is not known is left to the preflight to tell."""
    try:
        return await platform.resolve(ref, target=target)
    except (UnknownModelError, PlatformError, CredentialError):
        if ref.model_id is None:
            raise
        return Candidate(model_id=ref.model_id, target=target, base_model=ref.base_model)


async def _preflight(
    plan: TargetPlan,
    platform: HostingPlatform,
    candidate: Candidate,
    live: Candidate | None,
    seen: Sequence[SuiteResult],
) -> tuple[Finding, ...]:
    from flows.evaluation.estimate import expected_findings
    from flows.evaluation.judge_preflight import judge_findings

    candidates: dict[Role, Candidate] = {"candidate": candidate}
    if live is not None:
        candidates["baseline"] = live
    models: dict[Role, str] = {role: one.model_id for role, one in candidates.items()}
    found = await platform.preflight(candidate, (plan.target.developer, plan.target.production))
    found += await pausing_findings(plan.target, platform)
    ceiling = plan.target.sampling.get("budget_usd")
    judges = await judge_findings(
        plan.judge, plan.suites, models, plan.target.path, ceiling_usd=ceiling
    )
    return (*found, *expected_findings(plan, platform, candidates, seen), *judges)


def _standing(platform: str, deployments: Sequence[Deployment]) -> str:
    ours = sum("gatewright" in deployment.tags for deployment in deployments)
    return f"{platform} answers: {counted(len(deployments), 'deployment')}, {ours} of them ours"


def _installation(settings: Settings) -> tuple[Finding, ...]:
    try:
        with open_registry(settings) as registry:
            broken = registry.verify()
    except GatewrightError as error:
        return (Finding(name="registry", level="fail", message=str(error)),)
    registry_line = (
        Finding(
            name="registry",
            level="ok",
            message=f"{settings.registry_url}, every event in its place",
        )
        if not broken
        else Finding(
            name="registry", level="fail", message="; ".join(broken), fix="see docs/operations.md"
        )
    )
    return (_home(settings.home), registry_line, _prefect())


def _home(home: Path) -> Finding:
    if os.access(home, os.W_OK):
        return Finding(name="home", level="ok", message=str(home))
    return Finding(
        name="home",
        level="fail",
        message=f"{home} can only be read: read-only commands work; runs can't start",
        fix="run Gatewright as the user who owns it, on a disk that can be written",
    )


def _prefect() -> Finding:
    """What the Prefect server that is named says when it is asked."""
    if not (url := os.environ.get("PREFECT_API_URL")):
        return Finding(
            name="prefect",
            level="warn",
            message="PREFECT_API_URL is not set",
            fix="commands that run a flow start a temporary server; `prefect server start` keeps one",
        )
    try:
        version = asyncio.run(_version_of_prefect())
    except GatewrightError as error:
        return Finding(name="prefect", level="fail", message=str(error), outside=True)
    return Finding(name="prefect", level="ok", message=f"{url} answers: Prefect {version}")


async def _version_of_prefect() -> str:
    async with PrefectApi.from_environment() as api:
        return await api.version()
