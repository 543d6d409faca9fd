"""Whether a failed attempt is made again, and when: the one place where retries are decided."""

from __future__ import annotations

from evals.sampling.endpoint.classify import Reply
from evals.sampling.fatal_errors import fatal_error, unreachable_error
from evals.sampling.pacing.backoff import backoff, wait_before
from evals.sampling.role_state import PendingRequest, RoleState
from evals.sampling.run import Run

__all__ = ["rate_limit_delay", "retry_delay"]

_MAX_TIMEOUTS = 3  # each may have been billed, and each costs the whole time-out
_MAX_GONE = 3  # a gateway that does not know a new deployment yet answers so now and then
_SPREAD = 0.05


async def retry_delay(
    run: Run, state: RoleState, pending: PendingRequest, reply: Reply
) -> float | None:
    """Return the seconds until the next attempt, or None when the reply stands.

    Raises SamplingError when no request to this endpoint can succeed.
    """
    if reply.fatal != "auth":
        pending.unauthorised = 0
    if reply.fatal:
        return await _after_fatal(run, state, pending, reply)
    if reply.refused_parameter:
        if not state.builder.adapt(reply.refused_parameter, pending.body_version):
            return None
        pending.uncounted_attempts += 1
        state.retries["parameter"] += 1
        return 0.0
    wait_s = _after_fault(run, state, pending, reply)
    if wait_s is None and reply.unreachable and not state.ever_answered:
        raise unreachable_error(state.endpoint, run.redactor.text(reply.error or ""))
    return wait_s


def rate_limit_delay(run: Run, pending: PendingRequest, reply: Reply) -> float:
    """Return how long a 429 tells us to wait, in its headers or else in its words; else our own backoff."""
    failures = pending.attempts - pending.uncounted_attempts
    return wait_before(failures, pending.headers, run.rng, message=reply.error or "")


async def _after_fatal(run: Run, state: RoleState, pending: PendingRequest, reply: Reply) -> float:
    # Once with new credentials: a token may have expired on the way. A second refusal is about the account, and every
    # request would get it.
    if reply.fatal == "auth" and pending.unauthorised == 0:
        pending.unauthorised += 1
        pending.uncounted_attempts += 1
        state.retries["credentials"] += 1
        await state.credentials.refused(pending.generation)
        return 0.0
    if reply.fatal == "gone" and pending.gone + 1 < _MAX_GONE:
        pending.gone += 1
        pending.uncounted_attempts += 1
        state.retries["gone"] += 1
        return backoff(pending.gone, run.rng)
    detail = f"{reply.error_code}: {run.redactor.text(reply.error or '')}"
    raise fatal_error(
        reply.fatal, state.endpoint, reply.status, detail, code=reply.error_code or ""
    )


def _after_fault(run: Run, state: RoleState, pending: PendingRequest, reply: Reply) -> float | None:
    pending.timeouts += reply.outcome == "timed_out"
    failures = pending.attempts - pending.uncounted_attempts
    if failures >= state.settings.max_attempts or pending.timeouts >= _MAX_TIMEOUTS:
        return None
    if reply.outcome == "rate_limited":
        wait_s = pending.wait_s
    else:
        wait_s = wait_before(failures, pending.headers, run.rng)
    if wait_s > state.settings.max_wait_s:
        return None
    state.retries[reply.outcome] += 1
    # All workers are told the same wait after a 429; spread out, they do not come back in one burst.
    return wait_s * (1.0 + _SPREAD * run.rng.random())  # later than asked for, never earlier
