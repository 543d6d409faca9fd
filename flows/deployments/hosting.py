"""What a standing deployment costs an hour besides its tokens: the one rule, for estimates and for what stands."""

from __future__ import annotations

from flows.platforms.base import BillsByTheHour, Deployment, Platform, SlotSpec

__all__ = ["billed_by_the_hour", "hosting_per_hour"]


def billed_by_the_hour(platform: Platform, model_id: str, slot: SlotSpec) -> bool:
    """True unless the platform knows that such a slot has no hosting fee of its own."""
    return not isinstance(platform, BillsByTheHour) or platform.billed_by_the_hour(model_id, slot)


def hosting_per_hour(
    platform: Platform, standing: Deployment, base_model: str | None
) -> float | None:
    """Return what a deployment costs an hour in USD, 0 where its type costs nothing, None where the price is not known.

    A paused one is counted like the others: whether it costs less is not published.
    """
    if standing.slot == "developer" and not isinstance(platform, BillsByTheHour):
        return 0.0
    slot = SlotSpec(slot=standing.slot, sku=standing.sku, capacity=standing.capacity)
    if not billed_by_the_hour(platform, standing.model_id, slot):
        return 0.0
    price = platform.price(standing.model_id, base_model)
    return price.hosting_per_hour if price is not None else None
