"""Whether the base that a fine-tune is said to have exists at all: a mistyped one has no price, no lifetime and no quota."""

from __future__ import annotations

from evals.errors import nearest
from flows.platforms.azure.region.fine_tune_offers import offer_table
from flows.platforms.azure.region.model_here import ModelHere
from flows.platforms.base import Finding
from flows.platforms.model_lifetimes import ModelDates
from flows.platforms.model_names import base_parts

__all__ = ["base_finding"]


def base_finding(model: ModelHere) -> Finding | None:
    """Report a base that neither the region's list nor a table has; None where one of them does, or the list is empty."""
    name = base_parts(model.base)[0].casefold()
    tables = {one for models in offer_table().types.values() for one in models}
    dates = (
        model.lifetimes.stated(model.model_id, model.base),
        model.lifetimes.published(model.model_id, model.base),
    )
    known = model.listed is not None or name in tables or any(one != ModelDates() for one in dates)
    if known or not model.tuned or not model.models:
        return None
    listed = {str(one.get("name") or "") for one in model.models} - {""}
    return Finding(
        name="base model",
        level="warn",
        message=f"{model.base}, the base model, is neither in the region's list nor in a table: it may be mistyped",
        fix=nearest(model.base, sorted(listed | tables)) or "check its name",
    )
