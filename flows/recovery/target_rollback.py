"""Rolls a target back as its file describes it. Imports little, because a rollback is urgent.

A rollback walks down the models that were live, so the same request twice would be two steps. What is gone back from is
therefore part of the request: a generation that is named, or the one that was live when a rollback was begun that
nobody was told the end of. Asked for again after a kill, whatever was printed, that one is finished.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flows.config.connections import platform_of, publishers_of
from flows.config.strategy import fixed_name
from flows.config.target import load_target
from flows.recovery.earlier_models import earlier_model
from flows.recovery.rollback import RollbackOutcome, require_rolled_back, roll_back
from flows.registry.opening import open_registry
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["begin_rollback", "finish_rollback", "roll_back_target", "rollback_under_way"]


async def roll_back_target(
    settings: Settings,
    target_name: str,
    *,
    to: str | None,
    reason: str,
    actor: str,
    from_generation: int | None = None,
) -> RollbackOutcome:
    """Return a target to the model that was live before (or to `to`), and hold automation off.

    `to` names an earlier model as `flows.recovery.earlier_models` reads it. With `from_generation` it goes back from that
    generation and from no other: asked for again, it does nothing more. Whoever shows the outcome calls
    `finish_rollback` then; until that, the same request finishes what was begun.

    Raises:
        RefusedError: something else is live than the generation that is named, or what a rollback made of it.
    """
    target = load_target(settings.targets, target_name)
    platform = platform_of(target)
    with open_registry(settings) as registry:
        try:
            model = earlier_model(registry, target_name, to) if to is not None else None
            generation = begin_rollback(
                registry, target_name, model, actor=actor, from_generation=from_generation
            )
            return await roll_back(
                target_name,
                to=model,
                from_generation=generation,
                reason=reason,
                actor=actor,
                platform=platform,
                registry=registry,
                publishers=publishers_of(settings, target),
                slot=target.production,
                keeps_name=fixed_name(target),
            )
        finally:
            await platform.aclose()


def begin_rollback(
    registry: Registry,
    target: str,
    to: str | None,
    *,
    actor: str,
    from_generation: int | None = None,
) -> int:
    """Put on record that a rollback begins, unless the same request was carried out; return what it goes back from.

    Raises:
        RefusedError: something else is live than that generation, or what a rollback made of it.
    """
    asked = from_generation
    if asked is None:
        asked = registry.rollback_asked(target, to)
    begun = registry.begin_rollback(target, generation=asked, to=to, actor=actor)
    if not begun:
        require_rolled_back(registry, target, asked, to)
    return asked


def finish_rollback(settings: Settings, target: str, outcome: RollbackOutcome) -> None:
    """Put on record that whoever asked knows the outcome, if every application was told."""
    if not outcome.problems:
        with open_registry(settings) as registry:
            registry.told_rollback(target, actor=settings.actor)


def rollback_under_way(registry: Registry, target: str, *, within: timedelta) -> bool:
    """Say whether a rollback was begun this short a time ago and nobody was told its end."""
    last = registry.rollback_attempt(target)
    if last is None or last.told:
        return False
    return datetime.fromisoformat(registry.now()) - datetime.fromisoformat(last.at) < within
