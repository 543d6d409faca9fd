"""Sweeping an account: what we made and nobody needs any more goes, what a rollback may need is kept warm.

Deleted are developer slots that have expired or whose run is over, production deployments that were superseded longer
ago than the target keeps them, and those of runs that ended without going live. Ours is only what carries this target's
tag and the id of a run in this registry; what a running run uses is left alone, whatever its age.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from evals.errors import GatewrightError
from evals.records import Record
from flows.config.connections import platform_of
from flows.config.target import Target, load_target, target_names
from flows.deployments.identity import belongs_to, deployment_name, run_of, slot_name
from flows.housekeeping.keep_warm import keep_warm_all, plan_keep_warm
from flows.housekeeping.retire import orphans, retirable
from flows.platforms.base import Platform
from flows.platforms.lifetimes import expired_slots
from flows.registry.opening import open_registry
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = [
    "DueDeployment",
    "SweepOutcome",
    "due_deployments",
    "in_use",
    "sweep_all",
    "sweep_target",
]

_SILENT_FOR = timedelta(days=2)
"""A run that has said and written nothing for so long was killed and not begun again: its slot is free."""
_SETTLED_FOR = timedelta(minutes=10)
"""A run that ended so long ago is not about to be begun again."""


class DueDeployment(Record, frozen=True, kw_only=True):
    """A deployment that is to go, and why."""

    name: str
    why: str


class SweepOutcome(Record, frozen=True, kw_only=True):
    """What a sweep did for one target, or would do when `dry_run`; `warnings` and `problems` are sentences for a person.

    A warning is of what is done in another way than the target asks; a problem wants somebody.
    """

    target: str
    dry_run: bool
    deleted: tuple[DueDeployment, ...] = ()
    kept_warm: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


async def sweep_target(
    settings: Settings, registry: Registry, target: Target, *, dry_run: bool = False
) -> SweepOutcome:
    """Sweep what belongs to one target. Safe to repeat and to kill; one failure does not stop the rest.

    Raises PlatformError or ConfigurationError when the account can't be looked at.
    """
    platform = platform_of(target)
    try:
        used = in_use(settings, registry, target.name)
        due = await due_deployments(registry, target, platform, used)
        keep = await plan_keep_warm(target, platform=platform, registry=registry, in_use=used)
        if dry_run:
            return SweepOutcome(
                target=target.name,
                dry_run=True,
                deleted=due,
                kept_warm=tuple(one.name for one in keep.ask),
                paused=tuple(one.name for one in keep.pause),
                problems=keep.wrong,
            )
        deleted, failed = await _delete(registry, target, platform, due)
        kept = await keep_warm_all(platform, keep)
    finally:
        await platform.aclose()
    return SweepOutcome(
        target=target.name,
        dry_run=False,
        deleted=deleted,
        kept_warm=kept.asked,
        paused=kept.paused,
        warnings=kept.warnings,
        problems=(*keep.wrong, *failed, *kept.problems),
    )


async def sweep_all(
    settings: Settings, target: str | None = None, *, dry_run: bool = False
) -> tuple[SweepOutcome, ...]:
    """Sweep one target, or every one there is; a file or an account that can't be read is a problem of its targets alone.

    Raises ConfigurationError when the file of the one target that is named has problems.
    """
    if target is not None:
        load_target(settings.targets, target)
    names = (target,) if target is not None else target_names(settings.targets)
    found = []
    with open_registry(settings) as registry:
        for name in names:
            try:
                one = load_target(settings.targets, name)
                found.append(await sweep_target(settings, registry, one, dry_run=dry_run))
            except GatewrightError as error:
                problems = tuple(str(error).splitlines())
                found.append(SweepOutcome(target=name, dry_run=dry_run, problems=problems))
    return tuple(found)


def in_use(settings: Settings, registry: Registry, target: str) -> frozenset[str]:
    """Return the deployments that running runs of a target use: their slots, their baselines, what they promote."""
    now = datetime.fromisoformat(registry.now())
    names: set[str] = set()
    for run in registry.runs(target, 200):
        if _is_running(settings, run, now):
            names |= {slot_name(run), deployment_name(target, run.run_id)}
            if (field := registry.field(run.run_id)) is not None:
                names |= {slot_name(run, place) for place in range(len(field.candidates))}
            model = run.baseline_model or (run.kind == "regression" and run.candidate_model)
            asked = registry.find(target, model) if model else None
            names |= {asked.deployment} if asked and asked.deployment else set()
    return frozenset(names)


async def due_deployments(
    registry: Registry, target: Target, platform: Platform, used: frozenset[str]
) -> tuple[DueDeployment, ...]:
    """Return what a sweep of a target would delete; `used` are the deployments of running runs."""
    name = target.name
    keep_s = target.promotion.keep_previous_s
    found = {one.name: one for one in await _slots(registry, target, platform, used)}
    retired = await retirable(
        name, keep_s=keep_s, platform=platform, registry=registry, in_use=used
    )
    found |= {
        one: DueDeployment(name=one, why="superseded, and kept long enough") for one in retired
    }
    left = await orphans(name, platform=platform, registry=registry)
    found |= {one: DueDeployment(name=one, why="its run ended without going live") for one in left}
    return tuple(one for key, one in sorted(found.items()) if key not in used)


async def _slots(
    registry: Registry, target: Target, platform: Platform, used: frozenset[str]
) -> list[DueDeployment]:
    """Developer slots that have expired, or whose run is over."""
    now = datetime.fromisoformat(registry.now())
    ours = [
        (slot, run)
        for slot in await platform.list_deployments()
        if slot.slot == "developer" and belongs_to(slot, target.name) and slot.name not in used
        if (run := registry.run(run_of(slot))) is not None
    ]
    expired = expired_slots([slot for slot, _ in ours], now=now)
    found = [DueDeployment(name=slot.name, why="its time is up, or it failed") for slot in expired]
    done = [slot for slot, run in ours if slot not in expired and _is_over(run, now)]
    return found + [DueDeployment(name=slot.name, why="its run is over") for slot in done]


async def _delete(
    registry: Registry, target: Target, platform: Platform, due: tuple[DueDeployment, ...]
) -> tuple[tuple[DueDeployment, ...], list[str]]:
    deleted, problems = [], []
    for one in due:
        live = registry.live(target.name)
        if live is not None and live.deployment == one.name:  # rolled back to it just now
            continue
        try:
            await platform.delete(one.name)
            deleted.append(one)
        except GatewrightError as error:
            problems.append(f"{one.name} could not be deleted: {error}")
    return tuple(deleted), problems


def _is_running(settings: Settings, run: RunRecord, now: datetime) -> bool:
    if not run.under_way:
        return False
    return (
        now - max(datetime.fromisoformat(run.updated_at), _last_activity(settings, run))
        < _SILENT_FOR
    )


def _is_over(run: RunRecord, now: datetime) -> bool:
    return not run.under_way and now - datetime.fromisoformat(run.updated_at) > _SETTLED_FOR


def _last_activity(settings: Settings, run: RunRecord) -> datetime:
    """When the run last wrote an answer down, on this machine."""
    updated = datetime.fromisoformat(run.updated_at)
    folder = settings.run_folder(run.run_id)
    journals = [folder / "journal", *folder.glob("candidates/*/journal")]
    written = [path.stat().st_mtime for one in journals if one.is_dir() for path in one.glob("*")]
    return max([updated, *(datetime.fromtimestamp(at, updated.tzinfo) for at in written)])
