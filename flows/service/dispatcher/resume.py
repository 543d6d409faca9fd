"""Has an answered run go on: in the flow run that was suspended for the answer, else in a fresh one.

What is found decides, so that a message tried twice does the same as one tried once:

    suspended                                   ──▶ it is resumed
    resumed before, scheduled or running        ──▶ it is under way: nothing to do
    running, and still on record as waiting     ──▶ it is just being suspended, or begins again: look again soon
    cancelled after it took the answer          ──▶ a person stopped it: nothing to do
    over, dead or unknown, or there never was one ──▶ the promotion is started again, once, under the answer's key

A run that its answer closed is started by nobody; the flow run that waited for it is resumed, so that it ends.
"""

from __future__ import annotations

from flows.approvals.suspended_runs import (
    how_it_ended,
    last_suspended,
    note_lost,
    resume,
    suspended_as,
)
from flows.orchestration.prefect_api import FINAL_STATES
from flows.registry.store import Registry
from flows.service.dispatcher.job_lookup import NotYetError
from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.service.dispatcher.starting import (
    SILENCE_S,
    StartOrder,
    is_dead,
    settled,
    start,
    state_of,
)
from flows.settings import Settings

__all__ = ["resume_run"]


async def resume_run(
    api: PrefectRuns,
    registry: Registry,
    settings: Settings,
    order: StartOrder,
    *,
    silence_s: float = SILENCE_S,
) -> str:
    """Have an answered run go on and return in words what was done.

    Raises:
        NotYetError: the flow run that waits for the answer can't be resumed yet; look again soon.
        ConfigurationError, InfrastructureError: Prefect can't be asked.
    """
    waiting, known = suspended_as(registry, order.run_id), settled(registry, order)
    if waiting is None and known is not None:
        return known.words
    if waiting is not None and await resume(api, waiting, who="gatewright", reason="answered"):
        return f"{order.target}: flow run {waiting}, which waited for the answer, goes on"
    flow_run = last_suspended(registry, order.run_id)
    if flow_run is not None:
        outcome = await _under_way(api, registry, settings, order, flow_run, silence_s)
        if outcome is not None:
            return outcome
    started = known or await start(api, registry, settings, order, silence_s=silence_s)
    if flow_run is None:
        return started.words
    note_lost(registry, order.run_id, flow_run)
    ended = how_it_ended(await api.look_up(flow_run))
    return f"flow run {flow_run}, which waited for the answer, {ended}; {started.words}"


async def _under_way(
    api: PrefectRuns,
    registry: Registry,
    settings: Settings,
    order: StartOrder,
    flow_run: str,
    silence_s: float,
) -> str | None:
    """Say that the flow run that waited before carries the run on; None when it will not any more."""
    found, waits = await api.look_up(flow_run), suspended_as(registry, order.run_id) is not None
    if found is not None and found["state_type"] == "CANCELLED" and not waits:
        return f"{order.target}: flow run {flow_run} was cancelled, and is left at that"
    if found is None or found["state_type"] in FINAL_STATES:
        return None
    if await is_dead(api, registry, settings, order, found, silence_s):
        return None
    if waits and found["state_type"] not in ("SCHEDULED", "PENDING"):
        raise NotYetError(
            f"{order.target}: flow run {flow_run} is {state_of(found)} and on record as waiting; looking again"
        )
    return f"{order.target}: flow run {flow_run} is {state_of(found)} already"
