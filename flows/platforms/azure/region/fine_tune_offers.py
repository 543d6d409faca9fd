"""Which deployment types fine-tunes have where: the table in fine_tune_offers.json, the region's own list over it.

The list's entry of a base model says what the *base* has: a fine-tune may have more (DeveloperTier is never in it) and less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from evals.codec import decode
from flows.platforms.azure.arm.documents import SKUS
from flows.platforms.azure.region.models import Entry, listed_skus, offered_skus, own_sku_ends
from flows.platforms.model_names import base_parts

__all__ = [
    "OfferTable",
    "Offers",
    "fine_tune_offers",
    "offer_table",
    "regions_that_fine_tune",
    "stated_for",
]

_FILE = Path(__file__).with_name("fine_tune_offers.json")


class OfferTable(msgspec.Struct, frozen=True):
    """Deployment type -> base model without its date -> the regions where its fine-tunes have it."""

    about: str
    source: str
    noted: date
    types: dict[str, dict[str, list[str] | Literal["everywhere"]]]


@dataclass(frozen=True, slots=True)
class Offers:
    """Types that are offered, types of which it isn't known, and the table that says so where the region's list doesn't."""

    offered: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    source: str = ""


@cache
def offer_table() -> OfferTable:
    """Return the table that comes with Gatewright."""
    return decode(_FILE.read_bytes(), OfferTable)


def regions_that_fine_tune() -> frozenset[str]:
    """Return the regions that train, as far as the table knows: those where some fine-tune has Standard."""
    regions = offer_table().types["Standard"].values()
    return frozenset(region for some in regions for region in some if some != "everywhere")


def fine_tune_offers(
    base: str,
    location: str,
    *,
    own: Entry | None,
    listed: Entry | None,
    stated: Iterable[str] = (),
    today: date,
) -> Offers:
    """Return what a fine-tune of `base` has in a region.

    `own` is its own entry in the region's list, `listed` that of its base, `stated` the types that the target names.
    """
    name = base_parts(base)[0].casefold()
    types = offer_table().types
    if own is not None and set(listed_skus(own)) not in (set(), set(listed_skus(listed))):
        ends = {sku: own_sku_ends(own, sku, listed) for sku in listed_skus(own)}
        offered = {sku for sku, end in ends.items() if end is None or end > today}
        # no list was seen that names the developer tier: that this one does not says nothing against the table
        silent = (
            {"DeveloperTier"} - set(ends) if _may_have(name, "DeveloperTier", location) else set()
        )
        return Offers(_in_order({*offered, *stated}), unknown=_in_order(silent - set(stated)))
    if not any(name in models for models in types.values()):
        of_base = {*offered_skus(listed, today), *stated}
        return Offers(_in_order(of_base), unknown=tuple(sku for sku in SKUS if sku not in of_base))
    has = {sku for sku, models in types.items() if _among(models.get(name, ()), location)}
    # Neither yes nor no: what only the base has, since the table may have aged; of a base that is listed no more, whatever
    # the table is silent about.
    doubtful = set(offered_skus(listed, today)) or {sku for sku in SKUS if sku not in types}
    if not location:
        doubtful |= {sku for sku, models in types.items() if name in models}
    doubtful -= {*has, *stated}
    return Offers(
        _in_order({*has, *stated}),
        unknown=_in_order(doubtful),
        source=f"{offer_table().source}, noted {offer_table().noted}",
    )


def stated_for(offered: Mapping[str, tuple[str, ...]], base: str) -> tuple[str, ...]:
    """Return the types that a target names for fine-tunes of `base`, with or without its date."""
    names = (base.casefold(), base_parts(base)[0].casefold())
    return tuple(
        sku for model, skus in offered.items() if model.casefold() in names for sku in skus
    )


def _may_have(name: str, sku: str, location: str) -> bool:
    """True unless the table knows the base, and not with this type here."""
    types = offer_table().types
    known = any(name in models for models in types.values())
    return not known or _among(types[sku].get(name, ()), location)


def _among(regions: Iterable[str] | Literal["everywhere"], location: str) -> bool:
    return regions == "everywhere" or location in regions


def _in_order(skus: Iterable[str]) -> tuple[str, ...]:
    wanted = set(skus)
    return tuple(sku for sku in SKUS if sku in wanted)
