"""Putting drift right for a target as its file describes it: adopt what stands there, or put back what is recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from evals.errors import PublishError
from evals.records import LivePointer
from flows.config.connections import platform_of, publishers_of
from flows.config.strategy import fixed_name
from flows.config.target import Target, load_target
from flows.monitoring import drift
from flows.platforms.base import Platform
from flows.publishers.base import Publisher
from flows.registry.opening import open_registry
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["adopt_drift", "put_back_drift"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A target with everything that is live for it."""

    target: Target
    platform: Platform
    registry: Registry
    publishers: tuple[Publisher, ...]


async def adopt_drift(
    settings: Settings, target_name: str, *, reason: str, actor: str
) -> LivePointer:
    """Make live what the recorded deployment really serves. Raises as `flows.monitoring.drift.adopt` does."""
    async with _opened(settings, target_name) as place:
        return await drift.adopt(
            target_name,
            platform=place.platform,
            registry=place.registry,
            publishers=place.publishers,
            actor=actor,
            reason=reason,
        )


async def put_back_drift(
    settings: Settings, target_name: str, *, reason: str, actor: str
) -> LivePointer:
    """Make the recorded model stand and be read again. Raises as `flows.monitoring.drift.repair` does, PublishError besides."""
    async with _opened(settings, target_name) as place:
        found = await drift.find_drift(
            target_name,
            platform=place.platform,
            registry=place.registry,
            publishers=place.publishers,
        )
        published = await drift.repair(
            target_name,
            platform=place.platform,
            registry=place.registry,
            publishers=place.publishers,
            slot=place.target.production,
            actor=actor,
            reason=reason,
            keeps_name=fixed_name(place.target),
        )
        failed = [one.problem for one in published if one.problem]
        live = place.registry.live(target_name)
        assert live is not None, "a repair leaves something live"
        place.registry.put_back(
            target_name,
            actor=actor,
            reason=reason,
            model_id=live.model_id,
            found=[one.message for one in found],
            problems=failed,
        )
        if failed:
            raise PublishError("; ".join(failed))
        return live


@asynccontextmanager
async def _opened(settings: Settings, target_name: str) -> AsyncIterator[_Place]:
    target = load_target(settings.targets, target_name)
    platform = platform_of(target)
    try:
        with open_registry(settings) as registry:
            yield _Place(
                target=target,
                platform=platform,
                registry=registry,
                publishers=publishers_of(settings, target),
            )
    finally:
        await platform.aclose()
