"""The promotion flow: a fine-tune finished; try its model, judge it, and make it live or refuse it.

A refusal is a flow that completed. Only what could not be carried out is a failed flow. Where the gate wants a person's
word the flow run is suspended, its process ends, and the answer has it begin again from the top: every step finds what it
left. A candidate whose baseline moved since its verdict is judged once more, against what is live by then.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial

from prefect import flow, get_run_logger, runtime

from evals.errors import GatewrightError, InfrastructureError, LeaseLostError
from flows import tasks
from flows.approvals.suspend import suspends, wait_for_people
from flows.approvals.suspended_runs import note_resumed
from flows.evaluation.request import is_rejudgement, request_run
from flows.evaluation.steps import rounds_due
from flows.orchestration.flow_log import waits_in_flow_log
from flows.orchestration.target_lease import HeldLease, target_lease
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry, require_run, wait_for_registry
from flows.registry.records import RunRecord, RunState
from flows.registry.selections import CHOSEN
from flows.release.state_machine import STALE
from flows.reporting.finish import is_unfinished
from flows.selection.rungs import request_judgement
from flows.settings import load_settings

__all__ = ["promote"]


def _run_name() -> str:
    parameters = runtime.flow_run.parameters
    what = next(
        (
            parameters[key]
            for key in ("job_id", "model_id", "checkpoint", "selection")
            if parameters.get(key)
        ),
        "?",
    )
    return f"{parameters.get('target')} {what}"


@flow(name="promotion", flow_run_name=_run_name, persist_result=False)
async def promote(
    target: str,
    job_id: str | None = None,
    model_id: str | None = None,
    checkpoint: str | None = None,
    base_model: str | None = None,
    requested_by: str = "",
    again: str = "",
    fresh: str = "",
    early_stop: str = "",
    rejudges: str = "",
    selection: str = "",
    against: str = "",
) -> dict[str, str]:
    """Take one candidate the whole way. Exactly one of job_id, model_id and checkpoint names it, or `selection` alone.

    A checkpoint that no job lists may have its job_id beside it; `base_model` says what it was trained on where no list does.

    `selection` is the id of a selection on record: its field is asked and one candidate chosen first, and what is taken
    the whole way is that one. Beside one of the three it says where that candidate was chosen.

    `again` and `fresh`, any text, `early_stop="off"`, `rejudges`, a run's id, and `against` are the marks of
    `flows.evaluation.request.request_run`.

    Returns:
        run_id, state and verdict of the run; the same trigger again returns the same run.
    """
    with waits_in_flow_log():
        settings = load_settings()
        await wait_for_registry(settings)
        ref = TriggerRef(
            job_id=job_id, model_id=model_id, checkpoint=checkpoint, base_model=base_model
        )
        actor = requested_by or settings.actor
        if selection and ref == TriggerRef():
            chosen = await _chosen(target, selection)
            if chosen is None:
                return _summary(selection)
            ref = _reference(chosen)
        request = partial(
            request_run,
            settings,
            target,
            ref,
            kind="promotion",
            actor=actor,
            fresh=bool(fresh),
            early_stop=early_stop != "off",
            selection=selection,
            against=against,
        )
        run, _created = request(again=again, rejudges=rejudges)
        await _run_to_end(run.run_id)
        # Once and no more: while others keep going live in between, this one would be judged for ever.
        if not is_rejudgement(run) and _is_stale(run.run_id):
            get_run_logger().info("something else was made live since the verdict: judging again")
            run, _created = request(rejudges=run.run_id)
            await _run_to_end(run.run_id)
        await tasks.resume_unanswerable(target, str(runtime.flow_run.id))
        return _summary(run.run_id)


async def _chosen(target: str, selection: str) -> RunRecord | None:
    """Choose one candidate of a field, and record the run that judges it; None when nobody could be chosen."""
    async with _lease(target, selection) as lease:
        try:
            if not _is_settled(selection):
                await _choose(selection)
        except LeaseLostError:
            raise
        except GatewrightError as failure:
            _note_failure(selection, str(failure))
            raise
        finally:
            if not lease.lost:
                await tasks.clean_up_field(selection)
                lease.finished = True
    return request_judgement(load_settings(), selection)


async def _choose(selection: str) -> None:
    for rung in range(1, await tasks.open_field(selection) + 1):
        await tasks.ask_rung(selection, rung)
        if await tasks.judge_rung(selection, rung):
            break
    await tasks.settle_selection(selection)


def _is_settled(selection: str) -> bool:
    """Whether the choice is on record already."""
    with open_registry(load_settings()) as registry:
        return any(mark.step == CHOSEN for mark in registry.steps(selection))


def _reference(run: RunRecord) -> TriggerRef:
    named = {key: run.trigger.get(key) for key in TriggerRef.__struct_fields__}
    return TriggerRef(**named)


async def _run_to_end(run_id: str) -> None:
    """Carry a run to its end. While people are waited for, nothing runs: see `flows.approvals.suspend`."""
    carried_out = False
    await _finish(run_id)
    while not _is_over(run_id):
        if _is_waiting(run_id) and suspends():
            if await wait_for_people(run_id):
                carried_out = False
                continue
            if carried_out:  # it waits for something that nobody is asked for
                return
        async with _lease(_run(run_id).target, run_id) as lease:
            if not _run(run_id).decided:  # by whoever was waited for
                await _run_once(run_id, lease)
            lease.finished = True
        carried_out = True
        if not suspends():
            return


def _lease(
    target: str, run_id: str, *, alone: bool = True
) -> AbstractAsyncContextManager[HeldLease]:
    log = get_run_logger()
    return target_lease(load_settings(), target, run_id, alone=alone, say=log.warning)


async def _finish(run_id: str) -> None:
    """Do what a process left undone that was killed between the end of a run and its clean-up."""
    if _run(run_id).settled and is_unfinished(load_settings(), run_id):
        async with _lease(_run(run_id).target, run_id, alone=False) as lease:
            await _close(run_id, None)
            lease.finished = True


async def _run_once(run_id: str, lease: HeldLease) -> None:
    """Every way out, a cancellation too, passes the clean-up; what failed is written down and raised again.

    Whoever lost the run to another process leaves it as it is.
    """
    error = None
    try:
        if not _is_judged(run_id):
            await _evaluate(run_id)
        if await tasks.conclude(run_id) == "ERROR":
            raise InfrastructureError(
                "the verdict is ERROR, so that nothing was decided: see the report"
            )
        await tasks.go_live(run_id)
    except LeaseLostError:
        raise
    except GatewrightError as failure:
        error = str(failure)
        _note_failure(run_id, error)
        raise
    finally:
        if not lease.lost:
            await _close(run_id, error)
            lease.finished = True


async def _close(run_id: str, error: str | None) -> None:
    try:
        await tasks.clean_up(run_id)
        if error is None:
            await tasks.take_reference(run_id)
    finally:
        await _report(run_id, error)


async def _evaluate(run_id: str) -> None:
    await tasks.resolve(run_id)
    for warning in await tasks.preflight(run_id):
        get_run_logger().warning("%s", warning)
    await tasks.deploy_candidate(run_id)
    for look in rounds_due(load_settings(), run_id):
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
        if run is not None and not run.decided:
            state: RunState = "failed"
            registry.set_run_state(run_id, state, error[:500])


def _is_over(run_id: str) -> bool:
    """Say whether a run has come to its end; a flow run that was suspended for its question then waits no more."""
    run = _run(run_id)
    get_run_logger().info("run %s of %s is %s", run_id, run.target, run.state)
    over = run.decided or _was_put_back(run_id)
    if over:
        with open_registry(load_settings()) as registry:
            note_resumed(registry, run_id, str(runtime.flow_run.id))
    return over


def _is_waiting(run_id: str) -> bool:
    return _run(run_id).state == "waiting"


def _run(run_id: str) -> RunRecord:
    with open_registry(load_settings()) as registry:
        return require_run(registry, run_id)


def _is_judged(run_id: str) -> bool:
    with open_registry(load_settings()) as registry:
        return registry.verdict(run_id) is not None


def _is_stale(run_id: str) -> bool:
    """Was the candidate refused only because something else was made live since its verdict?"""
    with open_registry(load_settings()) as registry:
        return any(mark.step == STALE for mark in registry.steps(run_id))


def _was_put_back(run_id: str) -> bool:
    """A run that was live and put back is over; its candidate takes a new run."""
    with open_registry(load_settings()) as registry:
        run = require_run(registry, run_id)
        return run.state == "failed" and any(
            (mark.step, mark.phase) == ("put_back", "done") for mark in registry.steps(run_id)
        )


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
