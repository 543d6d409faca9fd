"""Finds promotions that stand still: the process that carried them out died, and nobody goes on with them.

A process that dies leaves its lease behind, whoever started it; one that a person stops gives it back, and that run is
the person's to resume. Where a flow run died before it had a lease, the service brings to an end what it started or had
go on: what a finished fine-tune began, and what was answered. What is found is ordered once more; Prefect's record then
decides whether anything is to be done, as it does for a message that comes twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from evals.errors import ConfigurationError, RefusedError
from flows.approvals.suspended_runs import was_suspended
from flows.orchestration.target_lease import died
from flows.registry.leases import Lease
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.service.dispatcher.messages import answer_id
from flows.service.dispatcher.queue_resume import has_what_it_waits_for
from flows.service.dispatcher.starting import QUIET_S, StartOrder, job_order, silent_for
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
    is_dead: Callable[[Lease], bool] = died,
) -> tuple[StartOrder, ...]:
    """Return an order for every promotion whose process died, or that is the service's, has no process on record and is silent.

    One that is on record and that nobody has begun with is looked at after `unbegun_s`: its flow run may have died before
    its first sign of life.
    """
    found = {order.run_id: order for order in _orphaned(registry, is_dead)}
    leases = {lease.run_id for lease in registry.open_leases()}
    for run in registry.runs(limit=500):
        if (
            run.kind != "promotion"
            or run.run_id in leases
            or not _should_move(settings, registry, run)
        ):
            continue
        order = _order(registry, run)
        least = min(silence_s, QUIET_S)
        if run.state == "requested" and unbegun_s is not None:
            least = min(least, unbegun_s)
        if order is not None and least <= _silence(settings, registry, run) <= longest_s:
            found[run.run_id] = order
    return tuple(found.values())


def _orphaned(registry: Registry, is_dead: Callable[[Lease], bool]) -> tuple[StartOrder, ...]:
    """Return an order for every promotion and selection under way whose process died."""
    left = [lease for lease in registry.open_leases() if lease.silent_s <= LONGEST_S]
    dead = [registry.run(lease.run_id) for lease in left if is_dead(lease)]
    return tuple(
        _order(registry, run) or _by_its_trigger(run)
        for run in dead
        if run is not None and run.under_way and run.kind in ("promotion", "selection")
    )


def _by_its_trigger(run: RunRecord) -> StartOrder:
    """The order that begins a run again which was not the service's, as `gatewright promote --submit` began it."""
    trigger = {"selection": run.run_id} if run.kind == "selection" else run.trigger
    return StartOrder(
        target=run.target,
        run_id=run.run_id,
        key=run.run_id,
        parameters={"target": run.target, "requested_by": run.requested_by, **trigger},
        name=run.run_id,
    )


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
