"""When a model that stands in an account retires, and whether the account still has it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, Protocol

from evals.errors import GatewrightError
from flows.platforms.azure.region.lifetimes import regional_days
from flows.platforms.azure.region.model_here import ModelHere
from flows.platforms.azure.region.models import Entry
from flows.platforms.base import SpeaksOpenAI
from flows.platforms.fine_tuning.candidates import known_model
from flows.platforms.last_days import LastDays
from flows.platforms.model_lifetimes import LifetimeTable
from flows.platforms.model_names import base_of, is_checkpoint_id, job_of, step_checkpoint

__all__ = ["last_days_of"]


class _Account(SpeaksOpenAI, Protocol):
    lifetimes: LifetimeTable


async def last_days_of(
    platform: _Account,
    model_id: str,
    base_model: str | None,
    models: Sequence[Entry],
    *,
    ask: bool,
) -> LastDays:
    """Return a model's last days; `models` is the account's list, and `ask` whether its data plane may be asked."""
    base = base_of(model_id) or base_model or model_id
    here = ModelHere(
        model_id=model_id,
        base=base_of(base) or base,  # training that was continued names the earlier fine-tune
        location="",
        models=models,
        lifetimes=platform.lifetimes,
        offered={},
        today=datetime.now(UTC).date(),
        job_id=job_of(model_id),
    )
    days = regional_days(here)
    state: Literal["there", "gone", "retired", "unknown"] = "unknown"
    if days.retired:
        state = "retired"
    elif ask and here.tuned:
        state = await _state(platform, model_id)
    elif here.listed is not None:
        # A base may be asked for without its date, and the service knows no model of such a name.
        state = "there"
    return LastDays(
        model_id=model_id,
        base_model=here.base if here.tuned else "",
        answers_until=days.answers_until,
        trains_until=days.trains_until,
        state=state,
    )


async def _state(platform: SpeaksOpenAI, model_id: str) -> Literal["there", "gone", "unknown"]:
    """Whether the account that trained it knows a model; `unknown` for a checkpoint, and where that may not be read."""
    if is_checkpoint_id(model_id) or step_checkpoint(model_id) is not None:
        return "unknown"
    try:
        return "there" if await known_model(platform, model_id) is not None else "gone"
    except GatewrightError:
        return "unknown"
