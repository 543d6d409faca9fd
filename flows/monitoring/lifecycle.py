"""What draws near for a target, announced once each: last days of models, models that are gone, questions about to expire, leftovers.

Every sweep looks for it, by the same record that `gatewright status` shows. What is new is announced first and recorded
then, so that a process killed in between announces it twice and forgets nothing.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from evals.records import Record
from flows.monitoring.status.ends import threshold
from flows.monitoring.status.gather import gather_status, named_targets
from flows.monitoring.status.records import Need
from flows.registry.opening import open_registry
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["EXPIRES_SOON", "LifecycleWarning", "new_warnings", "record_warning"]

EXPIRES_SOON = timedelta(hours=6)
"""How long before a question or an override expires people are warned once more."""


class LifecycleWarning(Record, frozen=True, kw_only=True):
    """Something that people are to be warned of, once: which target, what, and the command that helps.

    `mark` tells it from others; `day` and `threshold` are those of a day that draws near.
    """

    target: str
    kind: str
    mark: str
    message: str
    command: str
    about: str = ""
    run_id: str = ""
    day: date | None = None
    threshold: int | None = None


async def new_warnings(
    settings: Settings, target: str | None = None, *, registry: Registry | None = None
) -> tuple[LifecycleWarning, ...]:
    """Return what people were not warned of yet, for one target or for all; records nothing.

    Of a target whose file is broken or whose platform is away, it warns of what is known without it. `registry` is an open one,
    for its clock.
    """
    if registry is None:
        with open_registry(settings) as opened:
            return await new_warnings(settings, target, registry=opened)
    names = named_targets(settings, registry, target)
    status = await gather_status(settings, registry, names)
    found = [
        warning
        for one in status.targets
        for need in one.needs
        if (warning := _warning(one.target, need, status.at)) is not None
    ]
    return tuple(
        one
        for one in found
        if not registry.was_warned(one.target, one.mark, day=one.day, threshold=one.threshold)
    )


def record_warning(
    settings: Settings, warning: LifecycleWarning, *, registry: Registry | None = None
) -> bool:
    """Record that people were warned; False when they had been before."""
    if registry is None:
        with open_registry(settings) as opened:
            return record_warning(settings, warning, registry=opened)
    return registry.warn(
        warning.target,
        mark=warning.mark,
        reason=warning.message,
        model_id=warning.about or None,
        run_id=warning.run_id or None,
        day=warning.day,
        threshold=warning.threshold,
    )


def _warning(target: str, need: Need, now: str) -> LifecycleWarning | None:
    """A need as a warning, None where people learn of it otherwise."""
    day, limit = None, None
    if need.kind in ("retirement", "training_ends"):
        assert need.until is not None
        assert need.days is not None
        mark = f"{need.kind} {need.about}"
        day, limit = date.fromisoformat(need.until), threshold(need.days)
    elif need.kind == "model_gone":
        ended = " answers no more" if need.severity == "broken" else ""
        mark = f"{need.kind} {need.about}{ended}"
    elif need.kind in ("approval", "override") and _expires_soon(need, now):
        mark = f"{need.kind} {need.run_id} {need.until}"
    elif need.kind == "leftover_slot":
        mark = f"{need.kind} {need.about} {need.since}"
    else:
        return None
    return LifecycleWarning(
        target=target,
        kind=need.kind,
        mark=mark,
        message=need.message,
        command=need.command,
        about=need.about if need.kind != "leftover_slot" else "",
        run_id=need.run_id,
        day=day,
        threshold=limit,
    )


def _expires_soon(need: Need, now: str) -> bool:
    if need.until is None:
        return False
    left = datetime.fromisoformat(need.until) - datetime.fromisoformat(now)
    return timedelta(0) < left <= EXPIRES_SOON
