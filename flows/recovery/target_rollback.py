"""Rolls a target back as its file describes it. Imports little, because a rollback is urgent.

A rollback walks down the models that were live, so the same request twice would be two steps. What is gone back from is
therefore part of the request: a generation that is named, or the one that was live when a rollback was begun that
nobody was told the end of. Asked for again after a kill, whatever was printed, that one is finished.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from evals.errors import RefusedError
from flows.config.connections import platform_of, publishers_of
from flows.config.strategy import fixed_name
from flows.config.target import load_target
from flows.recovery.earlier_models import earlier_model
from flows.recovery.rollback import RollbackOutcome, roll_back
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
            goal = begin_rollback(
                registry, target_name, model, actor=actor, from_generation=from_generation
            )
            return await roll_back(
                target_name,
                to=goal,
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
) -> str | None:
    """Put on record that a rollback begins, and return the model to go to: `to`, or what the same request made live."""
    generation, last = registry.generation(target), registry.rollback_attempt(target)
    asked = from_generation
    if asked is None and last is not None and not last.told and last.to == to:
        event = registry.event_of(target, generation)
        if last.generation + 1 == generation and event is not None and event.kind == "rollback":
            asked = last.generation
    if asked is not None and asked != generation:
        return _made_of(registry, target, asked, to)
    registry.begin_rollback(target, generation=generation, to=to, actor=actor)
    return to


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


def _made_of(registry: Registry, target: str, generation: int, to: str | None) -> str:
    """What a rollback from a generation made live, if it still is."""
    live, event = registry.live(target), registry.event_of(target, generation + 1)
    by_rollback = event is not None and event.kind == "rollback" and to in (None, event.model_id)
    if live is not None and by_rollback and live.generation == generation + 1:
        return live.model_id
    now = f"generation {live.generation} ({live.model_id})" if live is not None else "nothing"
    raise RefusedError(
        f"{target} is not at generation {generation}: {now} is live; nothing was changed"
    )
