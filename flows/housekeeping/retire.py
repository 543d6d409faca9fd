"""Which production deployments are to go: those superseded for long enough, and those that never went live."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from flows.deployments.identity import attempt_generation, belongs_to, run_of
from flows.platforms.base import Deployment, Platform
from flows.registry.store import Registry

__all__ = ["kept_for_rollback", "orphans", "retirable"]


async def retirable(
    target: str,
    *,
    keep_s: int,
    platform: Platform,
    registry: Registry,
    in_use: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the target's deployments that were superseded more than `keep_s` seconds ago.

    Never what is live, nor what has not the target's own tag; `in_use` are deployments that a run still asks.
    """
    over, _ = _superseded(registry, target, keep_s)
    standing = [await platform.get(name) for name in over if name not in in_use]
    return tuple(one.name for one in standing if one is not None and belongs_to(one, target))


def kept_for_rollback(target: str, *, keep_s: int, registry: Registry) -> tuple[str, ...]:
    """Return the deployments that are not live any more and are kept for a rollback, the latest last."""
    return _superseded(registry, target, keep_s)[1]


async def orphans(target: str, *, platform: Platform, registry: Registry) -> tuple[str, ...]:
    """Return the production deployments of runs that ended without going live, such as one killed while cleaning up.

    Only what carries the tags of a run that the registry knows as refused or failed, and what never was live; or what a
    rollback or a repair deployed that was killed, or overtaken, before its switch.
    """
    generation = registry.generation(target)
    was_live = {old.deployment for old in registry.superseded(target)}
    found = []
    for standing in await platform.list_deployments():
        if not belongs_to(standing, target) or standing.slot != "production":
            continue
        if standing.name in was_live or _is_live(registry, target, standing.name):
            continue
        run = registry.run(run_of(standing))
        over = (
            run.state in ("refused", "failed")
            if run is not None
            else _was_overtaken(standing, generation)
        )
        if over:
            found.append(standing.name)
    return tuple(found)


def _was_overtaken(standing: Deployment, generation: int) -> bool:
    """Say whether a rollback or a repair made this that began at a generation which has passed since."""
    begun = attempt_generation(run_of(standing))
    return begun is not None and begun < generation


def _is_live(registry: Registry, target: str, name: str) -> bool:
    live = registry.live(target)
    return live is not None and live.deployment == name


def _superseded(
    registry: Registry, target: str, keep_s: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the deployments whose time is up, and those still kept; both in the order in which they were left."""
    live = registry.live(target)
    last: dict[str, str] = {}
    for old in registry.superseded(target):
        if old.deployment is not None and (live is None or old.deployment != live.deployment):
            last.pop(old.deployment, None)
            last[old.deployment] = old.until
    limit = datetime.fromisoformat(registry.now()) - timedelta(seconds=keep_s)
    over = tuple(name for name, until in last.items() if datetime.fromisoformat(until) < limit)
    return over, tuple(name for name in last if name not in over)
