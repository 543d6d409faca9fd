"""The look at drift that is made on a schedule: found once, reported once, held where the target says so, never repaired.

A look in the middle of a switch sees two halves that do not agree. Therefore what is found is looked at a second time a
little later and counts only when it is still there at the same generation; while a promotion is on its last steps, or a
rollback under way, nothing is looked at.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from msgspec.structs import replace

from evals.errors import GatewrightError
from evals.records import LivePointer, Record
from flows.config.connections import platform_of, publishers_of
from flows.config.target import Target, load_target, target_names
from flows.monitoring.drift import Drift, find_drift
from flows.recovery.target_rollback import rollback_under_way
from flows.registry.opening import open_registry
from flows.registry.records import AUTOMATION
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["SETTLE_S", "DriftCheck", "at_work", "check_all", "check_drift", "record_check"]

SETTLE_S = 20.0
"""How long after a first sight drift is looked at again, in seconds: longer than telling applications takes."""
_AT_WORK_FOR = timedelta(hours=1)
"""A promotion or a rollback whose last step is older was killed, and no reason to look away."""
_SHOWN = 500


class DriftCheck(Record, frozen=True, kw_only=True):
    """What a look at one target found.

    `news` is set when `drifts` is something that is not on record yet, `over` when what was on record is there no more;
    `alerts` and `holds` are what the target file asks for. `problem` says why nothing could be seen.
    """

    target: str
    model_id: str | None = None
    generation: int = 0
    drifts: tuple[Drift, ...] = ()
    news: bool = False
    over: bool = False
    alerts: bool = False
    holds: bool = False
    problem: str = ""

    @property
    def reason(self) -> str:
        """All that was found, in one sentence."""
        return "; ".join(drift.message for drift in self.drifts)[:_SHOWN]

    @property
    def marks(self) -> list[str]:
        """What tells this drift from another; the same for as long as nothing more is changed."""
        return sorted(map(_mark, self.drifts))


async def check_all(
    settings: Settings, target: str | None = None, *, settle_s: float = SETTLE_S
) -> tuple[DriftCheck, ...]:
    """Look at one target, or at every one there is, beside one another."""
    names = (target,) if target is not None else target_names(settings.targets)
    looks = (check_drift(settings, name, settle_s=settle_s) for name in names)
    return tuple(await asyncio.gather(*looks))


async def check_drift(settings: Settings, name: str, *, settle_s: float = SETTLE_S) -> DriftCheck:
    """Hold what is recorded for a target against what stands and what applications read; records nothing.

    Never raises what Gatewright raises on purpose: what could not be seen is `problem`.
    """
    try:
        target = load_target(settings.targets, name)
        with open_registry(settings) as registry:
            if at_work(settings, registry, name):
                return DriftCheck(target=name)
            return await _look(settings, registry, target, settle_s)
    except GatewrightError as error:
        return DriftCheck(target=name, problem=str(error))


def record_check(settings: Settings, check: DriftCheck) -> bool:
    """Put what a look found on record, with the hold the target asks for; False when there was nothing new in it."""
    with open_registry(settings) as registry:
        if check.over:
            why = "what stands and what applications read is what is recorded again"
            return registry.drift_over(check.target, actor=AUTOMATION, reason=why)
        if not check.news:
            return False
        return registry.drift_found(
            check.target,
            actor=AUTOMATION,
            reason=check.reason,
            marks=check.marks,
            generation=check.generation,
            model_id=check.model_id,
            hold=check.holds,
        )


async def _look(
    settings: Settings, registry: Registry, target: Target, settle_s: float
) -> DriftCheck:
    drifts, live = await _seen(settings, registry, target)
    if drifts:
        await asyncio.sleep(settle_s)
        again, live_then = await _seen(settings, registry, target)
        if live_then != live or at_work(settings, registry, target.name):
            return DriftCheck(target=target.name)
        before = {_mark(one) for one in drifts}
        drifts = tuple(one for one in again if _mark(one) in before)
    unseen = "; ".join(one.message for one in drifts if one.outage)
    seen = tuple(one for one in drifts if not one.outage)
    return _compared(registry, target, live, seen, unseen)


def _compared(
    registry: Registry,
    target: Target,
    live: LivePointer | None,
    drifts: tuple[Drift, ...],
    unseen: str,
) -> DriftCheck:
    """Hold what was found against what is on record. Where something could not be seen, nothing is over, and a part of
    what is known is no news.
    """
    check = DriftCheck(
        target=target.name,
        model_id=live.model_id if live else None,
        generation=registry.generation(target.name),
        drifts=drifts,
        alerts="alert" in target.on_drift,
        holds="hold" in target.on_drift,
        problem=unseen,
    )
    known = registry.drifted(target.name)
    marks = known.facts()["marks"] if known is not None else []
    told = set(check.marks) <= set(marks) if unseen else check.marks == marks
    return replace(
        check, news=bool(drifts) and not told, over=bool(marks) and not (drifts or unseen)
    )


async def _seen(
    settings: Settings, registry: Registry, target: Target
) -> tuple[tuple[Drift, ...], LivePointer | None]:
    live = registry.live(target.name)
    platform = platform_of(target)
    try:
        publishers = publishers_of(settings, target)
        return await find_drift(
            target.name, platform=platform, registry=registry, publishers=publishers
        ), live
    finally:
        await platform.aclose()


def _mark(drift: Drift) -> str:
    return f"{drift.place} {drift.kind} {drift.found or '-'}"


def at_work(settings: Settings, registry: Registry, target: str) -> bool:
    """Say whether Gatewright itself is just changing what stands there."""
    if rollback_under_way(registry, target, within=_AT_WORK_FOR):
        return True
    now = datetime.fromisoformat(registry.now())
    return any(
        run.state == "promoting" and now - datetime.fromisoformat(run.updated_at) < _AT_WORK_FOR
        for run in registry.runs(target, 50)
    )
