"""`gatewright doctor`: everything that could stop a run, looked at before one is started."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from evals.errors import ConfigurationError, GatewrightError
from evals.records import Candidate, Role, SuiteResult
from flows.commands.findings import show_findings
from flows.commands.output import JSON_OPTION
from flows.platforms.base import Deployment, Finding
from flows.settings import Settings, load_settings
from flows.stores import open_registry
from flows.target import target_names

if TYPE_CHECKING:
    from flows.opening import Plan

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog="Example: gatewright doctor support-triage --model gpt-4.1-mini-2025-04-14.ft-…"
    )(doctor)


def doctor(
    target: str | None = typer.Argument(None, help="A target; all of them when left out."),
    model: str | None = typer.Option(None, "--model", help="A candidate to check as well."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Check files, registry, credentials and platform of a target, with a fix for each thing that is wrong."""
    settings = load_settings()
    names = (target,) if target is not None else target_names(settings.targets)
    found = {name: _look(settings, name, model) for name in names}
    found["installation"] = _installation(settings)
    show_findings(found, as_json=as_json, exit_on_fail=3)


def _look(settings: Settings, name: str, model: str | None) -> tuple[Finding, ...]:
    from flows.expecting import last_results
    from flows.opening import load_plan  # with the statistics behind it: a second

    try:
        plan = load_plan(settings, name)
    except ConfigurationError as error:
        return tuple(
            Finding(name="files", level="fail", message=str(problem), fix=problem.fix or "")
            for problem in error.problems
        )
    with open_registry(settings) as registry:
        pointer, seen = registry.live(name), last_results(registry, name)
    live = pointer.model_id if pointer is not None else None
    models: dict[Role, str] = {"candidate": model or live or ""}
    if live is not None:
        models["baseline"] = live
    return (*_files(plan), *asyncio.run(_platform(plan, models, seen)))


def _files(plan: Plan) -> tuple[Finding, ...]:
    cases = sum(len(opened.suite.cases) for opened in plan.suites)
    return (
        Finding(name="target", level="ok", message=plan.target.path),
        Finding(
            name="gate", level="ok", message=f"{plan.policy.path}, {len(plan.policy.checks)} checks"
        ),
        Finding(name="suites", level="ok", message=f"{len(plan.suites)} suites, {cases} cases"),
    )


async def _platform(
    plan: Plan, models: Mapping[Role, str], seen: Sequence[SuiteResult]
) -> tuple[Finding, ...]:
    """The platform's own preflight for a model, and what a run would take; without one, whether the account answers."""
    from flows.expecting import expected_findings
    from flows.judges_ready import judge_findings
    from flows.platforms.jobs import walk_jobs
    from flows.platforms.opening import open_platform

    platform = open_platform(plan.target.platform, plan.target.options, os.environ)
    try:
        absent = await platform.reach()
        if absent is not None:
            return (absent,)
        model = models["candidate"]
        if not model:
            await anext(
                aiter(walk_jobs(platform, page=1)), None
            )  # asks the data plane, credential and all
            standing = await platform.list_deployments()
            return (
                Finding(name="platform", level="ok", message=_standing(platform.name, standing)),
            )
        candidate = Candidate(model_id=model, target=plan.target.name)
        slots = (plan.target.developer, plan.target.production)
        found = await platform.preflight(candidate, slots)
        judges = await judge_findings(plan.judge, plan.suites, models, plan.target.path)
        return (*found, *expected_findings(plan, platform, models, seen), *judges)
    except GatewrightError as error:
        return (Finding(name="platform", level="fail", message=str(error)),)
    finally:
        await platform.aclose()


def _standing(platform: str, deployments: Sequence[Deployment]) -> str:
    ours = sum("gatewright" in deployment.tags for deployment in deployments)
    return f"{platform} answers: {len(deployments)} deployments, {ours} of them ours"


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
    url = os.environ.get("PREFECT_API_URL")
    prefect = (
        Finding(name="prefect", level="ok", message=url)
        if url
        else Finding(
            name="prefect",
            level="warn",
            message="PREFECT_API_URL is not set",
            fix="commands that run a flow start a temporary server; `prefect server start` keeps one",
        )
    )
    return (Finding(name="home", level="ok", message=str(settings.home)), registry_line, prefect)
