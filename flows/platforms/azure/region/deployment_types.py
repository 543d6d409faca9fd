"""Which deployment types a model has in a region, and until when."""

from __future__ import annotations

from datetime import date

from flows.platforms.azure.region.fine_tune_offers import Offers, fine_tune_offers, stated_for
from flows.platforms.azure.region.model_here import OTHER_BASE, ModelHere
from flows.platforms.azure.region.models import inference_ends, listed_skus, own_sku_ends, sku_ends
from flows.platforms.base import Finding
from flows.platforms.findings import lifetime_finding
from flows.platforms.model_names import base_parts

__all__ = ["offers_of", "sku_finding", "untuned_on_developer_tier"]


def offers_of(model: ModelHere) -> Offers:
    """Return the deployment types that a model has in its region."""
    if not model.tuned:
        ends = {sku: _ends(model, sku) for sku in listed_skus(model.listed)}
        skus = (sku for sku, end in ends.items() if end is None or end > model.today)
        return Offers(tuple(skus))
    return fine_tune_offers(
        model.base,
        model.location,
        own=model.own,
        listed=model.listed,
        stated=stated_for(model.offered, model.base),
        today=model.today,
    )


def sku_finding(model: ModelHere, slot: str, sku: str, capacity: int) -> Finding:
    """Report whether a slot's deployment type is offered, and until when where that has a day of its own."""
    name, offers, ends = f"sku {slot}", offers_of(model), _ends(model, sku)
    offered = f"offered here: {', '.join(offers.offered)}" if offers.offered else ""
    if not model.tuned and sku == "DeveloperTier":
        message, fix = untuned_on_developer_tier(model.model_id, slot, capacity)
        fix = f"{fix}; {offered}" if offered else fix
        return Finding(name=name, level="fail", message=message, fix=fix)
    if ends is not None and ends <= model.today:
        message = f"{sku} of this model ended here on {ends}"
        return Finding(name=name, level="fail", message=message, fix=offered or OTHER_BASE)
    if sku not in offers.offered:
        return _not_offered(model, name, sku, offers, offered)
    if ends is None:
        return Finding(name=name, level="ok", message=f"{sku} is offered here")
    what = f"deployment type {sku}"
    return lifetime_finding(what, ends, today=model.today, fix=offered, name=name)


def untuned_on_developer_tier(model_id: str, slot: str, capacity: int) -> tuple[str, str]:
    """Return message and fix for an untuned model where only fine-tunes can stand."""
    return (
        f"DeveloperTier takes fine-tuned models only, and {model_id} is not fine-tuned",
        f"give the slot another type: in the target, change 'slots.{slot}' to"
        f" '{{sku: GlobalStandard, capacity: {capacity}}}'",
    )


def _not_offered(model: ModelHere, name: str, sku: str, offers: Offers, fix: str) -> Finding:
    if sku in offers.unknown or not offers.offered:
        message = f"the region does not say whether {sku} is offered"
        if model.tuned:
            message += f" for models fine-tuned on {base_parts(model.base)[0]}"
        return Finding(name=name, level="warn", message=message, fix=fix)
    by = f" (by {offers.source})" if offers.source else ""
    message = f"{sku} is not offered for this model in this region{by}"
    return Finding(name=name, level="fail", message=message, fix=fix)


def _ends(model: ModelHere, sku: str) -> date | None:
    """The type's own day, where it comes before the model's own."""
    if model.tuned:
        return own_sku_ends(model.own, sku, model.listed)
    ends, whole = sku_ends(model.listed, sku), inference_ends(model.listed)
    return ends if ends is not None and (whole is None or ends < whole) else None
