"""What really stands where a model is recorded as live: that model, another one, or nothing. It is looked at, nothing is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evals.errors import GatewrightError
from evals.records import LivePointer
from flows.platforms.base import Platform, ServesByModelId
from flows.platforms.model_names import same_model

__all__ = ["Astray", "AstrayKind", "astray"]

AstrayKind = Literal["gone", "other_model", "not_ready", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Astray:
    """How a deployment differs from the record. `found` is the model that it serves, None where nothing stands or its service does not say."""

    kind: AstrayKind
    found: str | None
    message: str


async def astray(platform: Platform, live: LivePointer) -> Astray | None:
    """Return how the recorded deployment differs from the record; None when it does not, or the model has no deployment."""
    if live.deployment is None:
        return None
    place = f"deployment {live.deployment}"
    try:
        if isinstance(platform, ServesByModelId):
            there = await platform.offers(live.model_id)
            message = f"{live.model_id} is not offered any more"
            return None if there else Astray(kind="gone", found=None, message=message)
        standing = await platform.get(live.deployment)
    except GatewrightError as error:
        return Astray(kind="unreadable", found=None, message=str(error))
    if standing is None:
        return Astray(kind="gone", found=None, message=f"{place} is gone")
    serves = standing.model_id
    if not same_model(live.model_id, serves):
        message = f"{place} serves {serves}, and {live.model_id} is recorded as live"
        return Astray(kind="other_model", found=serves, message=message)
    if standing.state != "ready":
        return Astray(kind="not_ready", found=serves, message=f"{place} is {standing.state}")
    return None
