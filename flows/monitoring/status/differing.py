"""What differs from the record at this moment: the live deployment, and what applications read."""

from __future__ import annotations

from collections.abc import Iterable

from evals.records import LivePointer
from evals.report.sanitise import one_line
from flows.config.connections import publishers_of
from flows.config.target import Target
from flows.monitoring.drift import Drift, find_drift, find_reading_drift
from flows.monitoring.status.records import Need, NeedKind
from flows.platforms.base import HostingPlatform
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["drift_needs", "read_otherwise", "served_otherwise"]


async def served_otherwise(
    registry: Registry, target: Target, platform: HostingPlatform
) -> tuple[Drift, ...]:
    """Return how the live deployment differs from the record."""
    return await find_drift(target.name, platform=platform, registry=registry, publishers=())


async def read_otherwise(
    settings: Settings, registry: Registry, target: Target
) -> tuple[Drift, ...]:
    """Return where applications read something else than is recorded. Raises ConfigurationError for an unusable publisher."""
    return await find_reading_drift(registry.live(target.name), publishers_of(settings, target))


def drift_needs(
    target: str, live: LivePointer | None, drifts: Iterable[Drift], since: str | None
) -> tuple[Need, ...]:
    """Return what differs as needs; what could not be read is unseen, and no drift. `since` is when it was first seen."""
    return tuple(_need(target, live, one, since) for one in drifts)


def _need(target: str, live: LivePointer | None, one: Drift, since: str | None) -> Need:
    unseen = one.kind == "unreadable"
    place: NeedKind = "platform" if one.subject == "deployment" else "publisher"
    command = f"gatewright verify {target}"
    return Need(
        kind=place if unseen else "drift",
        severity="unseen" if unseen else "broken",
        message=one_line(one.message),
        since=None if unseen else since,
        command=command if unseen else f"{command} --put-back --reason '…'",
        about=live.model_id if live is not None else "",
    )
