"""The regression flow: ask the live model its suites again, on a schedule, and say when it has got worse."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import flow, get_run_logger

from evals.errors import ConfigurationError, Problem
from flows import tasks
from flows.evaluation.request import request_run
from flows.evaluation.steps import rounds_due
from flows.orchestration.flow_log import waits_in_flow_log
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry
from flows.settings import load_settings

__all__ = ["regress"]


@flow(name="regression", flow_run_name="{target}", persist_result=False)
async def regress(target: str, requested_by: str = "") -> dict[str, str]:
    """Measure what is live now against the gate's absolute checks, and add it to what earlier runs of it said."""
    settings = load_settings()
    with open_registry(settings) as registry:
        live = registry.live(target)
    if live is None:
        raise ConfigurationError(
            Problem(where=target, message="nothing is live", fix="promote a model first")
        )
    run, _created = request_run(
        settings,
        target,
        TriggerRef(model_id=live.model_id),
        kind="regression",
        actor=requested_by or settings.actor,
        again=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with waits_in_flow_log():
        await tasks.resolve(run.run_id)
        for look in rounds_due(settings, run.run_id):
            if not await tasks.ask_round(run.run_id, look) or await tasks.judge_look(
                run.run_id, look
            ):
                break
        verdict = await tasks.conclude(run.run_id)
        outcome = await tasks.settle_regression(run.run_id)
        page = await tasks.report(run.run_id)
    get_run_logger().info("%s: %s, report %s", target, outcome, page)
    return {"run_id": run.run_id, "verdict": verdict, "outcome": outcome, "report": page}
