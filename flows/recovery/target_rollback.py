"""Rolls a target back as its file describes it. Imports little, because a rollback is urgent.

A rollback walks down the models that were live, so the same request twice would be two steps. What was begun is written
down before the switch and struck out once applications were told: after a kill, asking again finishes that one rollback.
"""

from __future__ import annotations

import time
from pathlib import Path

from evals.records import Record
from flows.config.connections import platform_of, publishers_of
from flows.config.strategy import fixed_name
from flows.config.target import load_target
from flows.files import read_record, write_record
from flows.recovery.earlier_models import earlier_model
from flows.recovery.rollback import RollbackOutcome, roll_back
from flows.registry.opening import open_registry
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["begin_rollback", "finish_rollback", "roll_back_target", "rollback_under_way"]


async def roll_back_target(
    settings: Settings, target_name: str, *, to: str | None, reason: str, actor: str
) -> RollbackOutcome:
    """Return a target to the model that was live before (or to `to`), and hold automation off.

    `to` names an earlier model as `flows.recovery.earlier_models` reads it. Asked for again after it was killed, it finishes what it
    began.
    """
    target = load_target(settings.targets, target_name)
    platform = platform_of(target)
    with open_registry(settings) as registry:
        try:
            model = earlier_model(registry, target_name, to) if to is not None else None
            outcome = await roll_back(
                target_name,
                to=begin_rollback(settings, registry, target_name, model),
                reason=reason,
                actor=actor,
                platform=platform,
                registry=registry,
                publishers=publishers_of(settings, target),
                slot=target.production,
                keeps_name=fixed_name(target),
            )
            if not outcome.problems:
                finish_rollback(settings, target_name)
            return outcome
        finally:
            await platform.aclose()


class RollbackAttempt(Record, frozen=True, kw_only=True):
    """A rollback that was begun at a generation; `to` as it was asked for."""

    generation: int
    to: str | None


def begin_rollback(
    settings: Settings, registry: Registry, target: str, to: str | None
) -> str | None:
    """Write down that a rollback begins, and return the model to go to: `to`, or what a cut-short one made live."""
    path, generation = _path(settings, target), registry.generation(target)
    kept = read_record(path, RollbackAttempt)
    if kept is not None and (kept.generation + 1, kept.to) == (generation, to):
        event, live = registry.event_of(target, generation), registry.live(target)
        if event is not None and event.kind == "rollback" and live is not None:
            return live.model_id
    write_record(path, RollbackAttempt(generation=generation, to=to))
    return to


def finish_rollback(settings: Settings, target: str) -> None:
    """Strike out what `begin_rollback` wrote down."""
    _path(settings, target).unlink(missing_ok=True)


def rollback_under_way(settings: Settings, target: str, *, within_s: float) -> bool:
    """Say whether a rollback was begun in the last `within_s` seconds and is not finished."""
    try:
        begun = _path(settings, target).stat().st_mtime
    except FileNotFoundError:
        return False
    return time.time() - begun < within_s


def _path(settings: Settings, target: str) -> Path:
    return settings.home / "rollbacks" / f"{target}.json"
