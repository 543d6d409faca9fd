"""How long slots live, which of our own have outlived their use, and how a kept one is kept from being removed.

A developer slot is removed by the service 24 hours after its creation whatever the traffic; a fine-tuned production slot
after 15 days without a request. Nothing here touches what Gatewright did not make.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from flows.platforms.base import Connection, Deployment, Platform, SlotSpec

__all__ = [
    "DEVELOPER_LIFE",
    "EXPIRES_TAG",
    "IDLE_LIFE",
    "expired_slots",
    "expires_at",
    "keep_warm",
]

DEVELOPER_LIFE = timedelta(hours=24)
IDLE_LIFE = timedelta(days=15)
EXPIRES_TAG = "gatewright-expires"
"""A tag with an ISO time: until then the slot is wanted. On a production slot it marks the end of keeping it warm."""

_OWN_TAG = "gatewright"


def expires_at(deployment: Deployment) -> datetime | None:
    """Return when a slot has outlived its use; None when it has no end, or its age is not known."""
    tagged = _moment(deployment.tags.get(EXPIRES_TAG))
    if deployment.slot == "production":
        return tagged
    created = _moment(deployment.created_at)
    removed = created + DEVELOPER_LIFE if created else None
    ends = [moment for moment in (tagged, removed) if moment is not None]
    return min(ends, default=None)


def expired_slots(
    deployments: Iterable[Deployment], *, now: datetime, in_use: Collection[str] = ()
) -> tuple[Deployment, ...]:
    """Return our own slots that have outlived their use, or failed; `in_use` names those that runs still need."""
    return tuple(
        one
        for one in deployments
        if _OWN_TAG in one.tags
        and one.name not in in_use
        and one.state not in {"deleting", "creating"}
        and _over(one, now)
    )


async def keep_warm(platform: Platform, deployment: Deployment) -> Connection:
    """Ask a kept slot once, which restarts its 15 days; deploys it again when the service has removed it.

    Raises PlatformError when it can be neither asked nor deployed.
    """
    slot = SlotSpec(slot=deployment.slot, sku=deployment.sku, capacity=deployment.capacity)
    standing = await platform.deploy(
        deployment.name, deployment.model_id, slot, tags=deployment.tags
    )
    return await platform.wait_ready(standing)


def _over(slot: Deployment, now: datetime) -> bool:
    if slot.state == "failed" and slot.slot == "developer":
        return True
    ends = expires_at(slot)
    return ends is not None and ends <= now


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if found is None:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
