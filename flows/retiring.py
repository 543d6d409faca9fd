"""Taking away production deployments whose time is up: kept warm for a rollback first, deleted by the sweep later."""

from __future__ import annotations

from datetime import datetime, timedelta

from flows.platforms.base import Platform
from flows.registry.store import Registry

__all__ = ["remove_orphans", "retire"]

_OVER = frozenset({"refused", "failed"})


async def retire(
    target: str, *, keep_s: int, platform: Platform, registry: Registry
) -> tuple[str, ...]:
    """Delete the target's deployments that were superseded more than `keep_s` seconds ago; return their names.

    Never what is live, and never a deployment without the target's own tag. Raises PlatformError; what was deleted until
    then stays deleted, and the next sweep goes on.
    """
    retired = []
    for name in _expired(registry, target, keep_s):
        standing = await platform.get(name)
        if standing is None or standing.tags.get("gatewright") != target:
            continue
        live = registry.live(target)
        if live is not None and live.deployment == name:  # rolled back to it just now
            continue
        await platform.delete(name)
        retired.append(name)
    return tuple(retired)


async def remove_orphans(target: str, *, platform: Platform, registry: Registry) -> tuple[str, ...]:
    """Delete production deployments of runs that ended without going live (killed while cleaning up); return names.

    Only what carries the tags of a run that the registry knows as refused or failed, and what never was live.
    """
    was_live = {old.deployment for old in registry.superseded(target)}
    removed = []
    for standing in await platform.list_deployments():
        run = registry.run(standing.tags.get("gatewright-run", ""))
        if standing.tags.get("gatewright") != target or standing.slot != "production":
            continue
        if run is None or run.state not in _OVER or standing.name in was_live:
            continue
        live = registry.live(target)
        if live is None or live.deployment != standing.name:
            await platform.delete(standing.name)
            removed.append(standing.name)
    return tuple(removed)


def _expired(registry: Registry, target: str, keep_s: int) -> list[str]:
    live = registry.live(target)
    last: dict[str, str] = {}
    for old in registry.superseded(target):
        if old.deployment is not None and (live is None or old.deployment != live.deployment):
            last[old.deployment] = old.until
    limit = datetime.fromisoformat(registry.now()) - timedelta(seconds=keep_s)
    return [name for name, until in last.items() if datetime.fromisoformat(until) < limit]
