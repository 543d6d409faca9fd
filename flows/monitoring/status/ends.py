"""When the models end that a target depends on: the live one, and those that a rollback would go back to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import msgspec

from evals.errors import PlatformError
from evals.report.numbers import counted
from flows.config.target import Target
from flows.monitoring.status.records import ModelEnd, ModelRole, Need, Severity
from flows.platforms.base import HostingPlatform
from flows.platforms.findings import NEWER_BASE, WARN_DAYS
from flows.platforms.last_days import TellsLastDays
from flows.platforms.model_names import short_name
from flows.recovery.earlier_models import rollback_command
from flows.registry.provenance import base_model_of
from flows.registry.store import Registry

__all__ = ["THRESHOLDS", "end_needs", "ends_now", "ends_of", "published_ends", "threshold"]

THRESHOLDS = (180, 90, 30, 0)
"""How many days before a last day it is warned of, each once; 0 is the day itself."""


async def ends_of(
    registry: Registry, target: Target, platform: HostingPlatform, *, ask: bool = True
) -> tuple[ModelEnd, ...]:
    """Return the last days of the live model and of the one before, as far as they are known.

    `ask` says whether the platform may be asked; else they are what is published and what the target states. Raises
    PlatformError when it can't be asked.
    """
    if not isinstance(platform, TellsLastDays):
        return ()
    found = []
    for role, model_id in _models(registry, target.name):
        base = base_model_of(registry, target.name, model_id)
        days = await platform.last_days(model_id, base, ask=ask)
        found.append(
            ModelEnd(
                model_id=model_id,
                name=short_name(model_id),
                role=role,
                base_model=days.base_model,
                answers_until=days.answers_until,
                trains_until=days.trains_until,
                state=days.state,
                asked=ask,
            )
        )
    return tuple(found)


async def ends_now(
    registry: Registry, target: Target, platform: HostingPlatform
) -> tuple[ModelEnd, ...]:
    """Return the same; a live model that the platform has as retired or unknown is asked one word, to see whether it answers."""
    return tuple(
        [
            await _asked(registry, target, platform, end)
            for end in await ends_of(registry, target, platform)
        ]
    )


async def _asked(
    registry: Registry, target: Target, platform: HostingPlatform, end: ModelEnd
) -> ModelEnd:
    live = registry.live(target.name)
    if live is None or end.role != "live" or end.state not in ("gone", "retired"):
        return end
    from flows.platforms.asking.gone import why_gone  # rarely needed

    deployment = live.deployment or live.model_id
    connection = platform.connect(deployment, live.model_id, "production")
    return msgspec.structs.replace(end, refuses=await why_gone(platform, connection, deployment))


async def published_ends(
    registry: Registry, target: Target, platform: HostingPlatform
) -> tuple[ModelEnd, ...]:
    """Return the same from the tables alone; nothing where even that needs the platform."""
    try:
        return await ends_of(registry, target, platform, ask=False)
    except PlatformError:
        return ()


def threshold(days: int) -> int | None:
    """Return the nearest of the thresholds that so many days left have reached, None while all are ahead."""
    return min((limit for limit in THRESHOLDS if days <= limit), default=None)


def end_needs(
    registry: Registry,
    target: str,
    ends: tuple[ModelEnd, ...],
    now: str,
    *,
    to_freeze: bool,
    frozen: bool,
) -> Iterator[Need]:
    """Yield what is to be done about models that end, and about those that are gone already.

    `to_freeze` says that the live model is one whose answers should be frozen before it ends, `frozen` that they are.
    """
    today = datetime.fromisoformat(now).date()
    for end in ends:
        if end.refuses:  # no day that is still to come matters any more
            yield _refuses(registry, target, end, frozen=frozen)
            continue
        if end.state in ("gone", "retired"):
            yield _gone(target, end)
        if end.answers_until is not None:
            freeze = to_freeze and end.role == "live"
            yield from _retirement(target, end, end.answers_until, today, freeze=freeze)
        if end.trains_until is not None and end.role == "live":
            yield from _training(end, end.trains_until, today)


def _retirement(
    target: str, end: ModelEnd, day: date, today: date, *, freeze: bool
) -> Iterator[Need]:
    days = (day - today).days
    if threshold(days) is None:
        return
    live = end.role == "live"
    if days <= 0:
        message = f"{_what(end)} stopped answering on {day}"
    else:
        message = f"{_what(end)} stops answering on {day}, in {counted(days, 'day')}"
    if freeze:
        message += f": freeze before {day}" if days > 0 else ": try to freeze it all the same"
    if live:
        message += ", and train its successor on a newer base" if freeze else f": {NEWER_BASE}"
    severity: Severity = "notice"
    if live and days <= WARN_DAYS:
        severity = "broken" if days <= 0 else "person"
    yield Need(
        kind="retirement",
        severity=severity,
        message=message,
        until=day.isoformat(),
        command=f"gatewright freeze {target}" if freeze else "",
        about=end.model_id,
        days=days,
    )


def _training(end: ModelEnd, day: date, today: date) -> Iterator[Need]:
    days = (day - today).days
    if threshold(days) is None:
        return
    base = end.base_model or "its base model"
    message = (
        f"no successor can be trained on {base} since {day}: {NEWER_BASE}"
        if days <= 0
        else f"a successor can be trained on {base} until {day}, {counted(days, 'day')} from now: train it before, or {NEWER_BASE}"
    )
    yield Need(
        kind="training_ends",
        severity="notice",
        message=message,
        until=day.isoformat(),
        about=end.model_id,
        days=days,
    )


def _gone(target: str, end: ModelEnd) -> Need:
    """The model, not its deployment: what stands may go on answering, and can't be made again."""
    word = "is retired" if end.state == "retired" else "is not known any more"
    answers = ", though it still answers" if end.asked and end.role == "live" else ""
    message = (
        f"{_what(end)} {word} at the platform{answers}: its deployment could not be made again"
    )
    return Need(
        kind="model_gone",
        severity="notice",
        message=message,
        command=f"gatewright verify {target}",
        about=end.model_id,
    )


def _refuses(registry: Registry, target: str, end: ModelEnd, *, frozen: bool) -> Need:
    """The live model is gone, and answers every question by saying so."""
    word = "retired" if end.state == "retired" else "not known any more"
    against = (
        "its frozen answers stand in for it when a successor is judged"
        if frozen
        else "none of its answers are frozen, so that no successor can be compared with it"
    )
    back = rollback_command(registry, target)
    promote = f"gatewright promote {target} …" + (" --against frozen" if frozen else "")
    return Need(
        kind="model_gone",
        severity="broken",
        message=f"{_what(end)} is {word} at the platform and answers no more ({end.refuses}); {against}",
        command=promote,
        way_back=back.command if back is not None else "",
        about=end.model_id,
    )


def _what(end: ModelEnd) -> str:
    kind = "the live model" if end.role == "live" else "the model to go back to,"
    return f"{kind} {end.name}"


def _models(registry: Registry, target: str) -> Iterator[tuple[ModelRole, str]]:
    live, back = registry.live(target), registry.previous(target)
    if live is not None:
        yield "live", live.model_id
    if back is not None and (live is None or back.model_id != live.model_id):
        yield "previous", back.model_id
