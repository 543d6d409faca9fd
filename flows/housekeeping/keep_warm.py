"""Keeping production deployments from going cold: the live one, and those a rollback may need.

A service removes a fine-tuned deployment that nobody asked for fifteen days. One small question an hour keeps it; one
that is gone all the same is deployed again, unless it is the live one: then people have to know.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from evals.errors import GatewrightError, PlatformError
from evals.records import LivePointer
from flows.config.strategy import fixed_name
from flows.config.target import Target
from flows.deployments.identity import as_recorded, belongs_to
from flows.housekeeping.retire import kept_for_rollback
from flows.platforms.base import Deployment, PausesDeployments, Platform
from flows.platforms.lifetimes import keep_warm
from flows.platforms.model_names import same_model
from flows.registry.store import Registry

__all__ = ["KeepWarmPlan", "KeptWarm", "keep_warm_all", "plan_keep_warm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepWarmPlan:
    """Deployments to ask once, those to pause, and what is wrong with the live one."""

    ask: tuple[Deployment, ...] = ()
    pause: tuple[Deployment, ...] = ()
    wrong: tuple[str, ...] = ()


class KeptWarm(NamedTuple):
    """The deployments that were asked and those paused, by name; what runs on against the target's wish, and what failed."""

    asked: tuple[str, ...]
    paused: tuple[str, ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


async def plan_keep_warm(
    target: Target, *, platform: Platform, registry: Registry, in_use: Collection[str] = ()
) -> KeepWarmPlan:
    """Return what is to be kept and how; `in_use` is what a running run changes."""
    if not target.production.sku:  # a platform without lasting deployments
        return KeepWarmPlan()
    live, wrong = await _live(registry.live(target.name), platform, in_use)
    names = kept_for_rollback(
        target.name, keep_s=target.promotion.keep_previous_s, registry=registry
    )
    found = [await platform.get(name) for name in names]
    standing = [
        one for one in found if one and one.state == "ready" and belongs_to(one, target.name)
    ]
    back = registry.previous(target.name)
    gone = {name for name, one in zip(names, found, strict=True) if one is None}
    if back is not None and back.deployment and back.deployment in gone - {fixed_name(target)}:
        standing.append(as_recorded(back.deployment, back, target.production))
    if target.promotion.keep == "paused":
        pause = [one for one in standing if one.state == "ready" and one.name not in in_use]
        return KeepWarmPlan(ask=live, pause=tuple(pause), wrong=wrong)
    return KeepWarmPlan(ask=(*live, *standing), wrong=wrong)


async def keep_warm_all(platform: Platform, keeping: KeepWarmPlan) -> KeptWarm:
    """Ask and pause, deploying again what is gone. What can't be paused is asked, so that it stays until it is needed."""
    paused, running, warnings = [], [], []
    for one in keeping.pause:
        why = await _pause(platform, one.name)
        if why is None:
            paused.append(one.name)
        else:
            running.append(one)
            warnings.append(f"{one.name} is kept running, and paid for, instead of paused: {why}")
    asked, problems = [], []
    for one in (*keeping.ask, *running):
        try:
            await keep_warm(platform, one)
            asked.append(one.name)
        except GatewrightError as error:
            if _is_retired(error):
                warnings.append(
                    f"{one.name} answers no more, since its model is retired: there is no going back to it"
                )
            else:
                problems.append(f"{one.name} could not be kept warm: {error}")
    return KeptWarm(tuple(asked), tuple(paused), tuple(warnings), tuple(problems))


def _is_retired(error: GatewrightError) -> bool:
    """Whether a service refuses for good: no sweep mends that, and none should fail for it every hour."""
    return isinstance(error, PlatformError) and error.status == 410


async def _pause(platform: Platform, name: str) -> str | None:
    """Pause a deployment; return why it can't be, None when it is paused."""
    if not isinstance(platform, PausesDeployments):
        return f"{platform.name} pauses no deployments"
    try:
        await platform.pause(name)
    except GatewrightError as error:
        return str(error)
    return None


async def _live(
    live: LivePointer | None, platform: Platform, in_use: Collection[str]
) -> tuple[tuple[Deployment, ...], tuple[str, ...]]:
    if live is None or live.deployment is None or live.deployment in in_use:
        return (), ()
    standing = await platform.get(live.deployment)
    if standing is None:
        return (), (f"{live.deployment} is recorded as live for {live.target}, and is gone",)
    if not same_model(live.model_id, standing.model_id):
        found = (
            f"{live.deployment} serves {standing.model_id}, and {live.model_id} is recorded as live"
        )
        return (), (found,)
    return ((standing,), ()) if standing.state == "ready" else ((), ())
