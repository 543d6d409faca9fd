"""Makes snapshots of a run a few times a second. Nothing here runs per answer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

from evals.records import Role
from evals.sampling.progress.snapshot import ProgressSink, RoleProgress, Snapshot
from evals.sampling.progress.waits import HeldUp
from evals.sampling.role_state import RoleState
from evals.sampling.run import Run
from evals.sampling.work_queue import WorkQueue

__all__ = ["report_progress"]

_EVERY_S = 0.25
_RATE_OVER = 40  # snapshots, so ten seconds


async def report_progress(
    run: Run, queue: WorkQueue, sink: ProgressSink | None, planned: Mapping[Role, int]
) -> None:
    """Send snapshots to `sink` until cancelled, then a last one."""
    if sink is None:
        return
    rates, held_up = {role: _Rate() for role in run.states}, HeldUp()
    try:
        while True:
            await asyncio.sleep(_EVERY_S)
            note = held_up.look(run.states, run.clock())
            sink.update(_snapshot(run, queue, rates, planned, note))
    finally:
        sink.update(_snapshot(run, queue, rates, planned, finished=True))


class _Rate:
    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque([(0.0, 0)], maxlen=_RATE_OVER)

    def per_second(self, elapsed_s: float, done: int) -> float:
        then, before = self._seen[0]
        self._seen.append((elapsed_s, done))
        return (done - before) / (elapsed_s - then) if elapsed_s > then else 0.0


def _snapshot(
    run: Run,
    queue: WorkQueue,
    rates: Mapping[Role, _Rate],
    planned: Mapping[Role, int],
    note: str = "",
    *,
    finished: bool = False,
) -> Snapshot:
    elapsed_s = run.clock() - run.began
    return Snapshot(
        elapsed_s=round(elapsed_s, 3),
        roles={
            role: _role(run, queue, role, rates[role], planned.get(role), elapsed_s)
            for role in run.states
        },
        spent_usd=run.budget.spent_usd,
        spent_tokens=run.budget.spent_tokens,
        ceiling_usd=run.budget.usd,
        ceiling_tokens=run.budget.tokens,
        stopping=run.reason or (str(run.failure) if run.failure else ""),
        note=note,
        finished=finished,
    )


def _role(
    run: Run, queue: WorkQueue, role: Role, rate: _Rate, planned: int | None, elapsed_s: float
) -> RoleProgress:
    state = run.states[role]
    fresh = sum(state.outcomes.values())
    per_second = rate.per_second(elapsed_s, fresh)
    done = fresh + queue.resumed[role]
    left = None if planned is None else max(0, planned - done)
    return RoleProgress(
        model_id=state.endpoint.model_id,
        done=done,
        planned=planned,
        resumed=queue.resumed[role],
        reused=state.reused,
        outcomes=dict(state.outcomes),
        rate_per_s=round(per_second, 2),
        eta_s=round(left / per_second, 1) if left is not None and per_second > 0 else None,
        in_flight=state.limit.in_flight,
        waiting=state.waiting_retries,
        held_up_by=state.held_up_by if state.waiting_retries else "",
        next_try_s=_next_try(run, state),
        limit=int(state.limit.limit),
        tokens=state.tokens,
        spent_usd=state.spent_usd if state.price else None,
    )


def _next_try(run: Run, state: RoleState) -> float | None:
    if not state.waiting_retries:
        return None
    return round(max(0.0, state.next_retry_in(run.clock())), 1)
