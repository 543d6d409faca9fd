"""The promotion flow: a fine-tune finished; try its model, judge it, and make it live or refuse it.

A refusal is a flow that completed. Only what could not be carried out is a failed flow.
"""

from __future__ import annotations

from prefect import flow, get_run_logger, runtime

from evals.errors import GatewrightError
from flows import tasks
from flows.evaluating import request_run, rounds
from flows.locks import target_lock
from flows.platforms.base import TriggerRef
from flows.registry.records import RunRecord, RunState
from flows.settings import load_settings
from flows.stores import open_registry

__all__ = ["promote"]

OVER = frozenset({"promoted", "refused", "inconclusive"})
JUDGED = frozenset({"judged", "waiting", "promoting"})


def _run_name() -> str:
    parameters = runtime.flow_run.parameters
    what = next(
        (parameters[key] for key in ("job_id", "model_id", "checkpoint") if parameters.get(key)),
        "?",
    )
    return f"{parameters.get('target')} {what}"


@flow(name="promotion", flow_run_name=_run_name, persist_result=False)
async def promote(
    target: str,
    job_id: str | None = None,
    model_id: str | None = None,
    checkpoint: str | None = None,
    requested_by: str = "",
    again: str = "",
) -> dict[str, str]:
    """Take one candidate the whole way. Exactly one of job_id, model_id and checkpoint names it.

    Returns:
        run_id, state and verdict of the run; the same trigger again returns the same run.
    """
    settings = load_settings()
    ref = TriggerRef(job_id=job_id, model_id=model_id, checkpoint=checkpoint)
    actor = requested_by or settings.actor
    run, _created = request_run(settings, target, ref, kind="promotion", actor=actor, again=again)
    get_run_logger().info("run %s of %s is %s", run.run_id, target, run.state)
    if run.state in OVER:
        return _summary(run.run_id)
    async with target_lock(target):
        await _carry_out(run)
    return _summary(run.run_id)


async def _carry_out(run: RunRecord) -> None:
    """Every way out, a cancellation too, passes the clean-up; what failed is written down and raised again."""
    run_id, error = run.run_id, None
    try:
        if run.state not in JUDGED:
            await _evaluate(run_id)
        await tasks.conclude(run_id)
        await tasks.go_live(run_id)
    except GatewrightError as failure:
        error = str(failure)
        _note_failure(run_id, error)
        raise
    finally:
        await tasks.clean_up(run_id)
        await _report(run_id, error)


async def _evaluate(run_id: str) -> None:
    await tasks.resolve(run_id)
    for warning in await tasks.preflight(run_id):
        get_run_logger().warning("%s", warning)
    await tasks.deploy_candidate(run_id)
    for look in range(1, rounds(load_settings(), run_id) + 1):
        if not await tasks.ask_round(run_id, look) or await tasks.judge_look(run_id, look):
            break


async def _report(run_id: str, error: str | None) -> None:
    with open_registry(load_settings()) as registry:
        run = registry.run(run_id)
    if run is not None and run.candidate is not None:
        page = await tasks.report(run_id, error)
        get_run_logger().info("report: %s", page)


def _note_failure(run_id: str, error: str) -> None:
    with open_registry(load_settings()) as registry:
        run = registry.run(run_id)
        if run is not None and run.state not in OVER:
            state: RunState = "failed"
            registry.set_run_state(run_id, state, error[:500])


def _summary(run_id: str) -> dict[str, str]:
    with open_registry(load_settings()) as registry:
        run, verdict = registry.run(run_id), registry.verdict(run_id)
    assert run is not None
    return {
        "run_id": run_id,
        "state": run.state,
        "detail": run.detail,
        "verdict": verdict.outcome if verdict else "",
        "report": run.report or "",
    }
