"""A worker: takes a request, sends it until there is an answer or no sense in trying again, and saves the response.

This is the hot path: what happens for every answer is straight code over shared state, and everything rare is elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter

import msgspec

from evals.records import MODEL_OUTCOMES, Response, Role
from evals.sampling.endpoint.classify import Reply, classify, no_answer
from evals.sampling.endpoint.transport import TransportFailure
from evals.sampling.journal.entries import Entry
from evals.sampling.pacing.backoff import remaining_quota
from evals.sampling.pacing.retrying import rate_limit_delay, retry_delay
from evals.sampling.request_spec import ModelRequest
from evals.sampling.role_state import PendingRequest, RoleState
from evals.sampling.run import Run
from evals.sampling.work_queue import AGAIN, BLOCKED, WorkQueue

__all__ = ["work"]

_log = logging.getLogger(__name__)


async def work(run: Run, queue: WorkQueue, role: Role) -> None:
    """Send the role's requests until there are none left, or the run stops."""
    state = run.states[role]
    try:
        while (pending := await _next_pending(run, queue, state, role)) is not None:
            if pending.attempts == 0 and not await _admit(run, state, pending):
                continue
            if not run.budget.limited or await _reserve(run, state, pending):
                await _attempt(run, state, pending)
    except Exception as error:  # whatever it is, the other workers must not go on asking
        run.fail(error)


async def _next_pending(
    run: Run, queue: WorkQueue, state: RoleState, role: Role
) -> PendingRequest | None:
    while not run.stopping:
        now = run.clock()
        # Due retries go before fresh requests: they were paid a wait already, and leaving them for last would end every
        # run with a tail of slow requests that nothing runs beside.
        if state.waiting_retries and state.next_retry_in(now) <= 0:
            return state.next_retry()
        if state.too_many_retries:
            await run.stop_signal.wait(state.next_retry_in(now))
            continue
        found = queue.take(role)
        if isinstance(found, ModelRequest):
            return PendingRequest(found)
        if found == AGAIN:
            await asyncio.sleep(0)
        elif found == BLOCKED:
            await queue.changed.wait(state.next_retry_in(now) if state.waiting_retries else None)
        elif state.waiting_retries:
            await run.stop_signal.wait(state.next_retry_in(now))
        else:
            return None
    return None


async def _admit(run: Run, state: RoleState, pending: PendingRequest) -> bool:
    """Prepare a request for its first attempt; False when a stored answer is reused instead."""
    if run.store and await _reuse(run, state, pending):
        return False
    _build_body(state, pending)
    state.estimate(pending)
    return True


def _build_body(state: RoleState, pending: PendingRequest) -> None:
    pending.body = state.builder.body(pending.request)
    pending.body_version = state.builder.version


async def _reuse(run: Run, state: RoleState, pending: PendingRequest) -> bool:
    assert run.store
    # The key is made also where nothing may be reused: the new answer is stored under it for later runs.
    pending.key = state.builder.key(pending.request)
    max_age_s = state.settings.reuse_max_age_s
    found = None if max_age_s is None else run.store.get(pending.key, max_age_s=max_age_s)
    if found is None:
        return False
    response = msgspec.structs.replace(
        found, case_id=pending.request.case_id, repeat=pending.request.repeat
    )
    _log.debug("%s: the answer of an earlier run is reused", pending)
    await run.save(state, pending, Entry(at=run.now(), response=response))
    return True


async def _reserve(run: Run, state: RoleState, pending: PendingRequest) -> bool:
    while not run.stopping:
        answer = run.budget.reserve(pending.reserved_usd, pending.reserved_tokens)
        if answer == "granted":
            state.reserved.add(pending)
            return True
        if answer == "reached":  # even with nothing else in flight it would not fit
            run.stop("budget", run.budget.exhausted_message())
        else:
            await run.budget.settled.wait()
    return False


async def _attempt(run: Run, state: RoleState, pending: PendingRequest) -> None:
    if not state.rate_pacer.unlimited:
        await _wait_for_rate(run, state, pending)
    if not await state.limit.acquire():
        return
    try:
        reply = await _send(run, state, pending)
    finally:
        state.limit.release()
    if reply.retryable or reply.fatal or reply.refused_parameter:
        wait_s = await retry_delay(run, state, pending, reply)
        if wait_s is not None:
            # Who waits holds nothing: else all workers might come to wait for what only waiting retries could release.
            _log.debug(
                "%s: %s, asked again in %.2f s", pending, reply.error_code or reply.outcome, wait_s
            )
            state.release(pending, run.budget)
            state.held_up_by = _held_up_by(reply)
            state.schedule_retry(pending, run.clock() + wait_s)
            return
    await _finish(run, state, pending, reply)


def _held_up_by(reply: Reply) -> str:
    status = "" if reply.status == 200 else str(reply.status)
    code = (
        reply.outcome if reply.error_code in {status, f"http_{status}", None} else reply.error_code
    )
    return " ".join(part for part in (status, code) if part)


async def _wait_for_rate(run: Run, state: RoleState, pending: PendingRequest) -> None:
    due = run.clock() + state.rate_pacer.reserve(pending.reserved_tokens)
    while not run.stopping and (left := due - run.clock()) > 0:
        await run.stop_signal.wait(left)


async def _send(run: Run, state: RoleState, pending: PendingRequest) -> Reply:
    headers = await state.credentials.headers()
    pending.generation = state.credentials.generation
    if pending.body_version != state.builder.version:
        _build_body(state, pending)
    if pending.attempts == 0:
        state.started += 1
        if run.first_request_at is None:
            run.first_request_at = run.clock()
    pending.attempts += 1
    state.requests += 1
    _log.debug("%s: attempt %d, asks %s", pending, pending.attempts, state.endpoint.model)
    if state.requests >= state.account_due_at:
        run.write_account()
    began = perf_counter()
    try:
        answer = await run.transport.post(state.route, pending.body, headers)
    except TransportFailure as failure:
        reply, pending.headers = no_answer(failure), {}
    else:
        pending.latency_ms = (perf_counter() - began) * 1000
        state.ever_answered = True
        reply, pending.headers = classify(state.endpoint.api, *answer), answer.headers
    _update_limit(run, state, pending, reply)
    if reply.maybe_billed:
        state.charge_unanswered(pending, run.budget)
        # Its reservation is spent now. Another attempt may be billed as well, so it needs a reservation of its own.
        state.release(pending, run.budget)
    return reply


def _update_limit(run: Run, state: RoleState, pending: PendingRequest, reply: Reply) -> None:
    limit = state.limit
    if reply.outcome == "rate_limited":
        pending.wait_s = rate_limit_delay(run, pending, reply)
        limit.rejected(min(pending.wait_s, state.settings.max_wait_s))
    elif reply.retryable:
        limit.server_failed()
    else:
        limit.accepted(quota_left=limit.full or _quota_left(state, pending))


def _quota_left(state: RoleState, pending: PendingRequest) -> bool:
    """False when the service says that what it has left won't do for more than is in flight already."""
    requests, tokens = (
        remaining_quota(pending.headers, "requests"),
        remaining_quota(pending.headers, "tokens"),
    )
    in_flight = state.limit.in_flight
    enough = requests is None or requests > in_flight
    return enough and (tokens is None or tokens > in_flight * pending.reserved_tokens)


async def _finish(run: Run, state: RoleState, pending: PendingRequest, reply: Reply) -> None:
    spoke = reply.outcome in MODEL_OUTCOMES
    if reply.usage or (spoke and reply.error is None):
        state.charge(pending, reply.usage, run.budget)
    state.release(pending, run.budget)
    response = Response(
        case_id=pending.request.case_id,
        model_id=state.endpoint.model_id,
        outcome=reply.outcome,
        repeat=pending.request.repeat,
        text=reply.text,
        finish_reason=reply.finish_reason,
        tool_calls=reply.tool_calls,
        usage=reply.usage,
        latency_ms=round(pending.latency_ms, 3) if spoke else None,
        attempts=pending.attempts,
        error=None if reply.error is None else run.redactor.text(reply.error),
        error_code=reply.error_code,
    )
    entry = Entry(
        at=run.now(),
        response=response,
        request_id=_request_id(pending),
        served_by=reply.model,
        fingerprint=reply.fingerprint,
    )
    state.finished += 1
    _log.debug(
        "%s: %s after %d attempts %s",
        pending,
        reply.outcome,
        pending.attempts,
        response.error or "",
    )
    await run.save(state, pending, entry)


def _request_id(pending: PendingRequest) -> str | None:
    headers = pending.headers
    request_id = headers.get("x-request-id") or headers.get("apim-request-id")
    return request_id if request_id and request_id.isascii() and len(request_id) <= 80 else None
