"""Finds promotions that stand still: their flow run died on the way, and nobody looks at it any more.

The service brings to an end what it started or had go on: what a finished fine-tune began, and what was answered. A
run that nothing is heard of is ordered once more; Prefect's record then decides whether anything is to be done, as it
does for a message that comes twice. What a person runs by hand is that person's to resume.
"""

from __future__ import annotations

from datetime import datetime

from evals.errors import ConfigurationError, RefusedError
from flows.approvals.suspended_runs import was_suspended
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.service.dispatcher.messages import answer_id
from flows.service.dispatcher.queue_resume import has_what_it_waits_for
from flows.service.dispatcher.starting import StartOrder, job_order, silent_for
from flows.settings import Settings

__all__ = ["LONGEST_S", "answered_order", "stalled"]

LONGEST_S = 7 * 86400.0
"""A run that stood still for longer is not started again by itself: nobody expects it to move any more."""

_BY_ITSELF = frozenset({"webhook", "watch"})


def stalled(
    settings: Settings,
    registry: Registry,
    *,
    silence_s: float,
    unbegun_s: float | None = None,
    longest_s: float = LONGEST_S,
) -> tuple[StartOrder, ...]:
    """Return an order for every promotion of the service's that nothing was heard of for so many seconds.

    One that is on record and that nobody has begun with is looked at after `unbegun_s`: its flow run may have died before
    it came to say anything.
    """
    found = []
    for run in registry.runs(limit=500):
        if run.kind != "promotion" or not _should_move(settings, registry, run):
            continue
        order = _order(registry, run)
        least = silence_s
        if run.state == "requested" and unbegun_s is not None:
            least = min(silence_s, unbegun_s)
        if order is not None and least <= _silence(settings, registry, run) <= longest_s:
            found.append(order)
    return tuple(found)


def answered_order(run: RunRecord, number: int) -> StartOrder:
    """Return the order that has a run go on after the answer of this number, counted from 1."""
    return StartOrder(
        target=run.target,
        run_id=run.run_id,
        key=answer_id(run.run_id, number),
        parameters={"target": run.target, "requested_by": run.requested_by, **run.trigger},
        name=f"{run.run_id} answered",
        resumes=True,
    )


def _should_move(settings: Settings, registry: Registry, run: RunRecord) -> bool:
    if run.under_way:
        return True
    try:
        return run.state == "waiting" and has_what_it_waits_for(settings, registry, run)
    except (ConfigurationError, RefusedError):  # its page says what hinders
        return False


def _order(registry: Registry, run: RunRecord) -> StartOrder | None:
    """What would have the run go on; None when it is not the service's."""
    if number := len(registry.answers(run.run_id)):
        ours = registry.inbox_knows(answer_id(run.run_id, number))
        if ours or was_suspended(registry, run.run_id):
            return answered_order(run, number)
    if run.requested_by in _BY_ITSELF and "job_id" in run.trigger:
        order = job_order(run.target, run.trigger["job_id"])
        return order if order.run_id == run.run_id else None
    return None


def _silence(settings: Settings, registry: Registry, run: RunRecord) -> float:
    answers = registry.answers(run.run_id)
    last = datetime.fromisoformat(answers[-1].at).timestamp() if answers else 0.0
    return silent_for(settings, run, last)
