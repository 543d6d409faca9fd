"""A worker: takes an ask, asks until there is an answer or no sense in asking on, and keeps what came of it.

This is the hot path: what happens for every answer is straight code over shared state, and everything rare is elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter

import msgspec

from evals.records import MODEL_OUTCOMES, Response, Role
from evals.sampling.endpoint.classify import Reply, classify
from evals.sampling.endpoint.transport import TransportFailure
from evals.sampling.journal.entries import Entry
from evals.sampling.pacing.backoff import spare
from evals.sampling.pacing.retrying import next_wait, rejection_wait
from evals.sampling.request_spec import ModelRequest
from evals.sampling.role_state import PendingRequest, RoleState
from evals.sampling.run import Run
from evals.sampling.work_queue import AGAIN, BLOCKED, WorkQueue

__all__ = ["work"]

_log = logging.getLogger(__name__)


async def work(run: Run, feed: WorkQueue, role: Role) -> None:
    """Ask until the role has nothing left to ask, or the run stops."""
    lane = run.lanes[role]
    try:
        while (job := await _next_job(run, feed, lane, role)) is not None:
            if job.attempts == 0 and not await _admit(run, lane, job):
                continue
            if not run.budget.limited or await _reserve(run, lane, job):
                await _attempt(run, lane, job)
    except Exception as error:  # whatever it is, the other workers must not go on asking
        run.fail(error)


async def _next_job(
    run: Run, feed: WorkQueue, lane: RoleState, role: Role
) -> PendingRequest | None:
    while not run.stopping:
        now = run.clock()
        if lane.parked and lane.due_in(now) <= 0:
            return lane.unpark()
        if lane.crowded:
            await lane.bell.wait(lane.due_in(now))
            continue
        found = feed.take(role)
        if isinstance(found, ModelRequest):
            return PendingRequest(found)
        if found == AGAIN:
            await asyncio.sleep(0)
        elif found == BLOCKED:
            await feed.moved.wait(lane.due_in(now) if lane.parked else None)
        elif lane.parked:
            await lane.bell.wait(lane.due_in(now))
        else:
            return None
    return None


async def _admit(run: Run, lane: RoleState, job: PendingRequest) -> bool:
    """Prepare a fresh ask; False when it needs no request, because its answer is reused."""
    if run.store and await _reuse(run, lane, job):
        return False
    _shape(lane, job)
    lane.estimate(job)
    return True


def _shape(lane: RoleState, job: PendingRequest) -> None:
    job.body = lane.shape.body(job.ask)
    job.shape_version = lane.shape.version


async def _reuse(run: Run, lane: RoleState, job: PendingRequest) -> bool:
    assert run.store
    job.key = lane.shape.key(job.ask)
    max_age_s = lane.settings.reuse_max_age_s
    found = None if max_age_s is None else run.store.get(job.key, max_age_s=max_age_s)
    if found is None:
        return False
    response = msgspec.structs.replace(found, case_id=job.ask.case_id, repeat=job.ask.repeat)
    _log.debug("%s: the answer of an earlier run is reused", job)
    await run.keep(lane, job, Entry(at=run.now(), response=response))
    return True


async def _reserve(run: Run, lane: RoleState, job: PendingRequest) -> bool:
    while not run.stopping:
        answer = run.budget.reserve(job.reserved_usd, job.reserved_tokens)
        if answer == "granted":
            lane.reserved.add(job)
            return True
        if answer == "reached":
            run.stop("budget", run.budget.words())
        else:
            await run.budget.settled.wait()
    return False


async def _attempt(run: Run, lane: RoleState, job: PendingRequest) -> None:
    if not lane.pace.unlimited:
        await _keep_pace(run, lane, job)
    if not await lane.limit.acquire():
        return
    try:
        reply = await _ask(run, lane, job)
    finally:
        lane.limit.release()
    if reply.retryable or reply.fatal or reply.refused_parameter:
        wait_s = await next_wait(run, lane, job, reply)
        if wait_s is not None:
            # Who waits holds nothing: else all workers might come to wait for what only parked asks could give back.
            _log.debug(
                "%s: %s, asked again in %.2f s", job, reply.error_code or reply.outcome, wait_s
            )
            lane.give_back(job, run.budget)
            lane.park(job, run.clock() + wait_s)
            return
    await _finish(run, lane, job, reply)


async def _keep_pace(run: Run, lane: RoleState, job: PendingRequest) -> None:
    due = run.clock() + lane.pace.reserve(job.reserved_tokens)
    while not run.stopping and (left := due - run.clock()) > 0:
        await lane.bell.wait(left)


async def _ask(run: Run, lane: RoleState, job: PendingRequest) -> Reply:
    headers = await lane.credentials.headers()
    job.generation = lane.credentials.generation
    if job.shape_version != lane.shape.version:
        _shape(lane, job)
    if job.attempts == 0:
        lane.begun += 1
        if run.first_request_at is None:
            run.first_request_at = run.clock()
    job.attempts += 1
    lane.requests += 1
    _log.debug("%s: attempt %d, asks %s", job, job.attempts, lane.endpoint.model)
    if lane.requests >= lane.note_at:
        run.note()
    began = perf_counter()
    try:
        answer = await run.transport.post(lane.route, job.body, headers)
    except TransportFailure as failure:
        reply, job.headers = _lost(failure), {}
    else:
        job.latency_ms = (perf_counter() - began) * 1000
        lane.heard = True
        reply, job.headers = classify(lane.endpoint.api, *answer), answer.headers
    _tell_limit(run, lane, job, reply)
    if reply.maybe_billed:
        lane.charge_lost(job, run.budget)
        lane.give_back(
            job, run.budget
        )  # what it has set aside is spent: another attempt needs its own
    return reply


def _lost(failure: TransportFailure) -> Reply:
    return Reply(
        outcome=failure.outcome,
        error=str(failure),
        error_code=failure.code,
        retryable=True,
        maybe_billed=failure.connected,
        unreachable=not failure.connected,
    )


def _tell_limit(run: Run, lane: RoleState, job: PendingRequest, reply: Reply) -> None:
    limit = lane.limit
    if reply.outcome == "rate_limited":
        job.wait_s = rejection_wait(run, job, reply)
        limit.rejected(min(job.wait_s, lane.settings.max_wait_s))
    elif reply.retryable:
        limit.troubled()
    else:
        limit.accepted(spare=limit.full or _has_spare(lane, job))


def _has_spare(lane: RoleState, job: PendingRequest) -> bool:
    """False when the service says that what it has left won't do for more than is in flight already."""
    requests, tokens = spare(job.headers, "requests"), spare(job.headers, "tokens")
    in_flight = lane.limit.in_flight
    enough = requests is None or requests > in_flight
    return enough and (tokens is None or tokens > in_flight * job.reserved_tokens)


async def _finish(run: Run, lane: RoleState, job: PendingRequest, reply: Reply) -> None:
    spoke = reply.outcome in MODEL_OUTCOMES
    if reply.usage or (spoke and reply.error is None):
        lane.charge(job, reply.usage, run.budget)
    lane.give_back(job, run.budget)
    response = Response(
        case_id=job.ask.case_id,
        model_id=lane.endpoint.model_id,
        outcome=reply.outcome,
        repeat=job.ask.repeat,
        text=reply.text,
        finish_reason=reply.finish_reason,
        tool_calls=reply.tool_calls,
        usage=reply.usage,
        latency_ms=round(job.latency_ms, 3) if spoke else None,
        attempts=job.attempts,
        error=None if reply.error is None else run.redactor.text(reply.error),
        error_code=reply.error_code,
    )
    entry = Entry(
        at=run.now(),
        response=response,
        request_id=_request_id(job),
        served_by=reply.model,
        fingerprint=reply.fingerprint,
    )
    lane.finished += 1
    _log.debug(
        "%s: %s after %d attempts %s", job, reply.outcome, job.attempts, response.error or ""
    )
    await run.keep(lane, job, entry)


def _request_id(job: PendingRequest) -> str | None:
    headers = job.headers
    request_id = headers.get("x-request-id") or headers.get("apim-request-id")
    return request_id if request_id and request_id.isascii() and len(request_id) <= 80 else None
