"""The regression flow: ask the live model its suites again, on a schedule, and say when it has got worse."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime

from prefect import flow, get_run_logger

from evals.errors import GatewrightError, LeaseLostError
from flows import tasks
from flows.evaluation.request import request_run
from flows.evaluation.steps import rounds_due
from flows.orchestration.flow_log import waits_in_flow_log
from flows.orchestration.target_lease import target_lease
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry, require_live
from flows.settings import Settings, load_settings

__all__ = ["anew", "regress"]


@flow(name="regression", flow_run_name="{target}", persist_result=False)
async def regress(target: str, requested_by: str = "") -> dict[str, str]:
    """Hold what is live now against its own recorded answers and the gate's absolute checks, and add up the evidence."""
    settings = load_settings()
    with open_registry(settings) as registry:
        live = require_live(registry, target)
    run, _created = request_run(
        settings,
        target,
        TriggerRef(model_id=live.model_id),
        kind="regression",
        actor=requested_by or settings.actor,
        again=anew(),
    )
    with waits_in_flow_log():
        async with target_lease(settings, target, run.run_id, alone=False) as lease:
            try:
                found = await _to_end(settings, run.run_id)
            except LeaseLostError:
                raise
            except asyncio.CancelledError:
                if not lease.lost:
                    why = f"it was stopped; ask anew: gatewright regress {target}"
                    _note_failure(settings, run.run_id, why)
                raise
            except GatewrightError as error:
                _note_failure(settings, run.run_id, str(error))
                raise
            finally:  # what could not be ended is another run's to ask, not this one's to resume
                lease.finished = not lease.lost and not _is_unsettled(settings, run.run_id)
    get_run_logger().info("%s: %s, report %s", target, found["outcome"], found["report"])
    return found


def anew() -> str:
    """What makes each start a run of its own, also of two at one moment; it begins with the time."""
    return f"{datetime.now(UTC).isoformat(timespec='seconds')} {secrets.token_hex(4)}"


async def _to_end(settings: Settings, run_id: str) -> dict[str, str]:
    """Ask, judge, settle and report."""
    await tasks.resolve(run_id)
    for look in rounds_due(settings, run_id):
        if not await tasks.ask_round(run_id, look) or await tasks.judge_look(run_id, look):
            break
    verdict = await tasks.conclude(run_id)
    outcome = await tasks.settle_regression(run_id)
    page = await tasks.report(run_id)
    return {"run_id": run_id, "verdict": verdict, "outcome": outcome, "report": page}


def _is_unsettled(settings: Settings, run_id: str) -> bool:
    """Whether a run was judged and what follows from that is not all done: then whoever comes next does it."""
    with open_registry(settings) as registry:
        return registry.verdict(run_id) is not None and not registry.is_settled(run_id)


def _note_failure(settings: Settings, run_id: str, error: str) -> None:
    with open_registry(settings) as registry:
        run = registry.run(run_id)
        if run is not None and run.under_way:
            registry.set_run_state(run_id, "failed", error[:500])
