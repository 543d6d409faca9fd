"""Whether a failed attempt is made again, and when: the one place where retries are decided."""

from __future__ import annotations

from evals.sampling.endpoint.classify import Reply
from evals.sampling.fatal_errors import fatal_error, unreachable_error
from evals.sampling.pacing.backoff import backoff, named_wait, wait_in_message
from evals.sampling.role_state import PendingRequest, RoleState
from evals.sampling.run import Run

__all__ = ["next_wait", "rejection_wait"]

_MOST_TIMEOUTS = 3  # each may have been billed, and each costs the whole time-out
_MOST_GONE = 3  # a gateway that has not heard of a deployment yet answers so now and then
_SPREAD = 0.05


async def next_wait(run: Run, lane: RoleState, job: PendingRequest, reply: Reply) -> float | None:
    """Return the seconds until the next attempt, or None when the reply stands.

    Raises SamplingError when no ask of this endpoint can succeed.
    """
    if reply.fatal != "auth":
        job.unauthorised = 0
    if reply.fatal:
        return await _after_fatal(run, lane, job, reply)
    if reply.refused_parameter:
        if not lane.shape.learn(reply.refused_parameter, job.shape_version):
            return None
        job.exempt += 1
        lane.retries["parameter"] += 1
        return 0.0
    wait_s = _after_fault(run, lane, job, reply)
    if wait_s is None and reply.unreachable and not lane.heard:
        raise unreachable_error(lane.endpoint, run.redactor.text(reply.error or ""))
    return wait_s


def rejection_wait(run: Run, job: PendingRequest, reply: Reply) -> float:
    """Return how long a 429 tells us to wait, in its headers or else in its words; else our own backoff."""
    named = named_wait(job.headers) or wait_in_message(reply.error or "")
    return named or backoff(job.attempts - job.exempt, run.rng)


async def _after_fatal(run: Run, lane: RoleState, job: PendingRequest, reply: Reply) -> float:
    if reply.fatal == "auth" and job.unauthorised == 0:
        job.unauthorised += 1
        job.exempt += 1
        lane.retries["credentials"] += 1
        await lane.credentials.refused(job.generation)
        return 0.0
    if reply.fatal == "gone" and job.gone + 1 < _MOST_GONE:
        job.gone += 1
        job.exempt += 1
        lane.retries["gone"] += 1
        return backoff(job.gone, run.rng)
    detail = f"{reply.error_code}: {run.redactor.text(reply.error or '')}"
    raise fatal_error(reply.fatal, lane.endpoint, reply.status, detail)


def _after_fault(run: Run, lane: RoleState, job: PendingRequest, reply: Reply) -> float | None:
    job.timeouts += reply.outcome == "timed_out"
    failures = job.attempts - job.exempt
    if failures >= lane.settings.max_attempts or job.timeouts >= _MOST_TIMEOUTS:
        return None
    if reply.outcome == "rate_limited":
        wait_s = job.wait_s
    else:
        wait_s = named_wait(job.headers) or backoff(failures, run.rng)
    if wait_s > lane.settings.max_wait_s:
        return None
    lane.retries[reply.outcome] += 1
    return wait_s * (1.0 + _SPREAD * run.rng.random())  # later than asked for, never earlier
