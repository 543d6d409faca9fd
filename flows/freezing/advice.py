"""Says when a live fine-tune is to be frozen: while it answers, since afterwards nothing can be compared with it."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from evals.codec import convert
from evals.report.numbers import counted
from flows.config.target import Target
from flows.platforms.base import Finding
from flows.platforms.model_lifetimes import LifetimeTable, ModelDates
from flows.platforms.model_names import is_fine_tuned
from flows.registry.frozen import of_model
from flows.registry.provenance import base_model_of
from flows.registry.store import Registry

__all__ = ["FREEZE_WITHIN_DAYS", "freeze_advice", "known_end"]

FREEZE_WITHIN_DAYS = 180
"""How long before a model's last day the advice becomes a warning."""


def freeze_advice(
    registry: Registry, target: Target, *, today: date, ends: date | None = None
) -> Finding | None:
    """Return what to say of freezing a target's live model: a finding named `freeze`, or None when there is nothing to say.

    Nothing is said where nothing is live, or the live model is no fine-tune, has no known end, or is frozen already. `ends` is
    the model's last day as its service tells it, for whoever has asked; without it the target's `lifetimes` and the published
    table tell. The level is `ok` more than FREEZE_WITHIN_DAYS before that day, then `warn`, and `fail` from that day on.
    Asks nothing of the network; `gatewright doctor`, `gatewright status` and retirement warnings take it from here.
    """
    live = registry.live(target.name)
    if live is None or not is_fine_tuned(live.model_id):
        return None
    if of_model(registry.frozen(target.name), live.model_id) is not None:
        return None
    base = base_model_of(registry, target.name, live.model_id)
    last = ends or known_end(target, live.model_id, base)
    return None if last is None else _advice(target.name, live.model_id, (last - today).days, last)


def known_end(target: Target, model_id: str, base_model: str | None) -> date | None:
    """Return the day on which a fine-tune stops answering, as target file or published table say; None when neither does."""
    stated: Any = target.options.get("lifetimes") or {}
    try:
        dates = convert(stated, dict[str, ModelDates])
    except msgspec.ValidationError:  # `doctor` names it as a problem of the file
        dates = {}
    table = LifetimeTable(target.platform, dates)
    of_target = table.stated(model_id, base_model).fine_tunes_end
    return of_target or table.published(model_id, base_model).fine_tunes_end


def _advice(target: str, model_id: str, days: int, last: date) -> Finding:
    command = f"gatewright freeze {target}"
    if days <= 0:
        message = f"{model_id} was to end on {last} and was never frozen: once it answers no more, nothing can be compared with it"
        return Finding(
            name="freeze", level="fail", message=message, fix=f"try it at once: {command}"
        )
    message = f"freeze before {last}, in {counted(days, 'day')}: {model_id} ends then, and no answers of it are frozen"
    if days > FREEZE_WITHIN_DAYS:
        return Finding(name="freeze", level="ok", message=message, fix=command)
    return Finding(name="freeze", level="warn", message=message, fix=command)
