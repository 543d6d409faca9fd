"""Commands with which a person decides: approve or reject what waits, override what was refused."""

from __future__ import annotations

import asyncio
from typing import Any

import typer

from evals.errors import InfrastructureError
from flows.commands.carry_out import follow_flow_run, run_promotion, show_run
from flows.commands.options import REASON
from flows.commands.output import (
    JSON_OPTION,
    echo,
    emit,
)
from flows.registry.opening import open_registry, require_run
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.settings import Settings, load_settings

__all__ = ["register"]

RUN = typer.Argument(..., help="A run, as `gatewright runs` lists them.")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(
        epilog="Example: gatewright approve support-triage-1f0c9a77aa --reason 'read the report'"
    )(approve)
    app.command(
        epilog="Example: gatewright reject support-triage-1f0c9a77aa --reason 'worse in German'"
    )(reject)
    app.command(
        epilog="Example: gatewright override support-triage-1f0c9a77aa --reason 'known label error'"
    )(override)


def approve(run_id: str = RUN, reason: str = REASON, as_json: bool = JSON_OPTION) -> None:
    """Let a waiting candidate go live, and carry the promotion out."""
    _answer(run_id, "approve", reason, as_json)
    _go_on(run_id, as_json)


def reject(run_id: str = RUN, reason: str = REASON, as_json: bool = JSON_OPTION) -> None:
    """Refuse a waiting candidate; what is live stays live."""
    _answer(run_id, "reject", reason, as_json)
    if _resumed(run_id, as_json) and not as_json:
        echo("the flow run that waited for the answer ends")
    with open_registry(load_settings()) as registry:
        waiting = require_run(registry, run_id).state == "waiting"
    if waiting:  # it stands on a production deployment already, which the flow takes away
        run_promotion(load_settings(), run_id, as_json=as_json)


def override(run_id: str = RUN, reason: str = REASON, as_json: bool = JSON_OPTION) -> None:
    """Let a candidate go live although the gate said no; needs as many people as the gate asks for."""
    _answer(run_id, "override", reason, as_json)
    _go_on(run_id, as_json)


def _answer(run_id: str, decision: Any, reason: str, as_json: bool) -> None:
    from flows.approvals.answers import answer_run

    settings = load_settings()
    outcome = answer_run(settings, run_id, decision, actor=settings.actor, reason=reason)
    if not as_json:
        echo(outcome)
    elif decision == "reject":
        emit({"run_id": run_id, "decision": decision, "detail": outcome})


def _go_on(run_id: str, as_json: bool) -> None:
    """Have the promotion go on: in the flow run that waits for the answer, else in this process."""
    settings = load_settings()
    with open_registry(settings) as registry:
        run = require_run(registry, run_id)
        enough = _is_enough(settings, registry, run)
    if not enough:
        show_run(settings, run_id, as_json)
    elif (flow_run := _resumed(run_id, as_json)) is not None:
        follow_flow_run(settings, run_id, flow_run, as_json=as_json)
    else:
        run_promotion(settings, run_id, as_json=as_json)


def _is_enough(settings: Settings, registry: Registry, run: RunRecord) -> bool:
    from flows.approvals.questions import question_of

    question = question_of(settings, registry, run)
    return question is None or question.enough


def _resumed(run_id: str, as_json: bool) -> str | None:
    """Resume the flow run that was suspended for this run; returns its id, None when there is none to be resumed."""
    import os

    from flows.approvals.suspended_runs import how_it_ended, resume, suspended_as
    from flows.orchestration.prefect_api import PrefectApi

    settings = load_settings()
    with open_registry(settings) as registry:
        flow_run = suspended_as(registry, run_id)
    if flow_run is None or not os.environ.get("PREFECT_API_URL"):
        return None

    async def ask() -> str | None:
        """Why it is not resumed, None when it is."""
        async with PrefectApi.from_environment() as api:
            if await resume(api, flow_run, who=settings.actor, reason="answered"):
                return None
            return how_it_ended(await api.look_up(flow_run))

    try:
        why = asyncio.run(ask())
    except InfrastructureError as error:
        why = f"was not resumed: {error}"
    if why is not None and not as_json:
        echo(f"flow run {flow_run}, which waited for the answer, {why}", err=True)
    return flow_run if why is None else None
