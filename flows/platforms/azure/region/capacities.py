"""Whether a slot's capacity is one that the deployment type takes here: the numbers that the region's list has for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.platforms.azure.region.model_here import ModelHere
from flows.platforms.azure.region.models import Entry
from flows.platforms.base import Finding

__all__ = ["capacity_finding"]


def capacity_finding(model: ModelHere, slot: str, sku: str, capacity: int) -> Finding | None:
    """Report a capacity that the list rules out, None for any other. The base's numbers only warn of a fine-tune's."""
    own = _limits(model.own, sku)
    limits = own or _limits(model.listed, sku)
    told, nearest = _broken(limits, capacity)
    if not told:
        return None
    copied = model.tuned and not own
    whose = f"{sku} of its base model" if copied else sku
    return Finding(
        name=f"capacity {slot}",
        level="warn" if copied else "fail",
        message=f"{whose} takes {told} here; the slot asks for {capacity}",
        fix=f"give the slot another capacity in the target, such as 'slots: {{{slot}: {{capacity: {nearest}}}}}'",
    )


def _broken(limits: Mapping[str, Any], capacity: int) -> tuple[str, int]:
    """What is not kept, in words, and a capacity that keeps it; empty when all is."""
    least, most, step = (_number(limits.get(name)) for name in ("minimum", "maximum", "step"))
    allowed = [one for one in map(_number, _listed(limits.get("allowedValues"))) if one is not None]
    if allowed and capacity not in allowed:
        nearest = min(allowed, key=lambda one: abs(one - capacity))
        return f"one of {', '.join(map(str, allowed))}", nearest
    if least is not None and capacity < least:
        return f"{least} or more", least
    if most is not None and capacity > most:
        return f"{most} or less", most
    if step and capacity % step and (capacity - (least or 0)) % step:
        below = capacity - capacity % step
        return f"steps of {step}", max(below, least or step)
    return "", capacity


def _limits(entry: Entry | None, sku: str) -> Mapping[str, Any]:
    for one in (entry or {}).get("skus") or ():
        if isinstance(one, Mapping) and str(one.get("name")).lower() == sku.lower():
            told = one.get("capacity")
            return told if isinstance(told, Mapping) else {}
    return {}


def _listed(values: object) -> list[object]:
    return values if isinstance(values, list) else []


def _number(value: object) -> int | None:
    """A whole number above zero; whatever else stands there limits nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        return None
    return int(value)
