"""A look: asks the live model the canary's cases, compares the answers with the recorded ones, and acts on the result.

One look at a target at a time, by a lease; a process that waited for another's look takes over its result. A look is recorded as
a whole at its end, a change before anything is started for it, so that a killed look is made again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from evals.errors import (
    ConfigurationError,
    GatewrightError,
    PlatformError,
    Problem,
    SamplingError,
)
from evals.records import LivePointer
from flows.config.target import load_target, target_names
from flows.evaluation.open_run import load_plan
from flows.monitoring.canary import budget, change
from flows.monitoring.canary.choosing import asking, choose, most_calls
from flows.monitoring.canary.comparing import compare, still_there
from flows.monitoring.canary.findings import (
    Here,
    after_choosing,
    after_comparing,
    changing_now,
    chosen_lately,
    noted,
    settle,
    unasked,
)
from flows.monitoring.canary.live_model import AskedCase, Key, LiveModel, spent_by_killed
from flows.monitoring.canary.status import CanaryStatus, canary_status
from flows.orchestration.prefect_api import PrefectApi
from flows.orchestration.target_lease import target_lease
from flows.platforms.table import open_platform
from flows.registry.canaries import CanaryState
from flows.registry.opening import open_registry
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["look_at", "look_at_all"]

_PATIENCE_S = 900.0


async def look_at_all(
    settings: Settings, api: PrefectApi | None, target: str | None = None
) -> tuple[CanaryStatus, ...]:
    """Look at one target, or at all whose files ask for it, one after the other. A failed look has a `problem`."""
    found = []
    with open_registry(settings) as registry:
        for name in (target,) if target is not None else target_names(settings.targets):
            try:
                if target is not None or _is_due(settings, registry, name):
                    found.append(await look_at(settings, registry, name, api))
            except GatewrightError as error:
                problem = " ".join(str(error).split())
                found.append(CanaryStatus(target=name, scheduled=True, problem=problem))
    return tuple(found)


def _is_due(settings: Settings, registry: Registry, name: str) -> bool:
    """Whether a target's file asks for hourly looks, and there is something to look at."""
    return (
        load_target(settings.targets, name).canary is not None and registry.live(name) is not None
    )


async def look_at(
    settings: Settings,
    registry: Registry,
    name: str,
    api: PrefectApi | None,
    *,
    anew: bool = False,
    actor: str = "gatewright",
) -> CanaryStatus:
    """Look at a target once and return what is on record afterwards. `anew` chooses the cases again, by today's answers.

    `api` is the server on which a regression run is started when something changed, None where none is known.

    Raises:
        ConfigurationError: nothing is live, or a file has problems.
        InfrastructureError: another process looks, and takes too long; kept answers are damaged.
    """
    plan = await asyncio.to_thread(load_plan, settings, name)
    began = registry.now()
    async with target_lease(
        settings, name, f"canary of {name}", alone=False, patience_s=_PATIENCE_S
    ) as lease:
        lease.finished = True
        live = registry.live(name)
        if live is None:
            raise ConfigurationError(
                Problem(where=name, message="nothing is live", fix="promote a model first")
            )
        state = _on_record(registry, name, live)
        waited = state.last is not None and state.last.at > began
        if not waited or anew:
            at = Here(settings=settings, registry=registry, plan=plan, live=live)
            await _make(at, state, api, anew=anew, actor=actor)
        return canary_status(registry, plan.target)


def _on_record(registry: Registry, name: str, live: LivePointer) -> CanaryState:
    """What is known of the canary, with the month's counts alone where something else went live since."""
    known, now = registry.canary(name), registry.now()
    fresh = CanaryState(target=name, generation=live.generation, model_id=live.model_id)
    if known is None:
        known = fresh
    elif (known.generation, known.model_id) != (live.generation, live.model_id):
        known = budget.carried_over(known, fresh)
    return budget.this_month(known, now)


async def _make(
    at: Here, state: CanaryState, api: PrefectApi | None, *, anew: bool, actor: str
) -> None:
    """Make the look and record its outcome."""
    killed = await asyncio.to_thread(spent_by_killed, at.folder)
    state = settle(at, budget.spent(state, killed), anew=anew, actor=actor)
    known, there = state.change, still_there(state, at.plan.suites)
    if why := changing_now(at):
        state = noted(at, state, "skipped", why)
    elif known is not None and not there:
        state = noted(at, state, "changed", known.said)
    else:
        state = await _asked(at, state, there)
    if state.change is not None:
        most = at.limits.budget_regressions
        state = await change.started(at.registry, state, api, most)
    at.registry.keep_canary(state)


async def _asked(at: Here, state: CanaryState, there: Mapping[Key, AskedCase]) -> CanaryState:
    """Ask what is live, unless the month's budget is spent."""
    target, limits = at.plan.target, at.limits
    edited = state.asking != asking(at.plan, limits.cases)
    choosing = state.change is None and (edited or len(there) < max(1, len(state.cases) / 2))
    calls = most_calls(limits.cases) if choosing else len(there) + len(there) // 4
    if why := budget.why_not(state, limits, calls):
        return noted(at, state, "skipped", why)
    if choosing and chosen_lately(at, state):
        return noted(at, state, "skipped", "no case is answered alike each time; looked for daily")
    platform = open_platform(target.platform, target.options, os.environ)
    left = budget.left_calls(state, limits), budget.left_usd(state, limits)
    because = state.because or _because(state, edited=edited)
    try:
        model = LiveModel.of(at.registry, platform, at.plan, at.live, at.folder, *left)
        state = await _answered(at, state, model, {} if choosing else there, because)
        model.forget()  # not when it was stopped: then the next look finds what it spent
        return state
    finally:
        await platform.aclose()


async def _answered(
    at: Here, state: CanaryState, model: LiveModel, there: Mapping[Key, AskedCase], because: str
) -> CanaryState:
    spent = model.spent
    try:
        if there:
            compared = await compare(model, state, there)
            state = budget.spent(state, spent)
            if why := changing_now(at):
                return noted(at, state, "skipped", why, spent)
            return after_comparing(at, state, compared, spent)
        chosen = await choose(at.settings, at.registry, model, at.limits.cases, state)
    except (SamplingError, PlatformError) as error:
        state = budget.spent(state, spent)
        return unasked(at, state, " ".join(str(error).split()), spent)
    state = budget.spent(state, spent)
    if why := changing_now(at):
        return noted(at, state, "skipped", why, spent)
    return after_choosing(at, state, chosen, spent, because)


def _because(state: CanaryState, *, edited: bool) -> str:
    """Why cases are chosen again; empty when it is the first time."""
    if not state.chosen_at:
        return ""
    return "suites or how they are asked were edited" if edited else "most of them were edited"
