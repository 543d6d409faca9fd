"""Starts the promotions of fine-tunes that finished since the last look, and those again whose flow run died before it began."""

from __future__ import annotations

import asyncio

import msgspec

from evals.errors import GatewrightError
from evals.records import Record
from flows.config.target import Target, load_target, target_names
from flows.orchestration.triggers import finished_jobs, keep_cursor
from flows.registry.opening import open_registry
from flows.registry.store import Registry
from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.service.dispatcher.starting import job_order, start
from flows.settings import Settings

__all__ = ["Look", "start_finished", "watch_targets"]

_ACTOR = "watch"


class Look(Record, frozen=True, kw_only=True):
    """What a look at a target started. `started` are the jobs whose runs were not on record before; `said` tells of each
    job that is not over what became of it, in words. `problem` says why it could not look.
    """

    target: str
    started: tuple[str, ...] = ()
    said: dict[str, str] = msgspec.field(default_factory=dict)
    problem: str = ""


async def watch_targets(
    settings: Settings, api: PrefectRuns, target: str | None = None, *, since: float | None = None
) -> tuple[Look, ...]:
    """Look for one target, or for every one there is, beside one another: each failure is a problem of its target alone."""
    names = (target,) if target is not None else target_names(settings.targets)
    return tuple(await asyncio.gather(*(_look(settings, api, name, since) for name in names)))


async def _look(settings: Settings, api: PrefectRuns, name: str, since: float | None) -> Look:
    try:
        target = load_target(settings.targets, name)
        return await start_finished(settings, api, target, since=since)
    except GatewrightError as error:
        return Look(target=name, problem=" ".join(str(error).splitlines()))


async def start_finished(
    settings: Settings, api: PrefectRuns, target: Target, *, since: float | None = None
) -> Look:
    """Start a promotion for every job of a target that finished since the last look.

    A job is started when its run is on record and its flow run alive. The look is marked as made only then, so that what
    fails half-way is found by the next one. A run that was recorded by an earlier look, and whose flow run died before it
    began, gets another.
    """
    jobs, cursor = await finished_jobs(settings, target, since)
    started: list[str] = []
    said: dict[str, str] = {}
    with open_registry(settings) as registry:
        for job in dict.fromkeys((*_unbegun(registry, target.name), *(job.id for job in jobs))):
            order = job_order(target.name, job, _ACTOR)
            known = registry.run(order.run_id)
            if known is None or known.state == "requested":
                said[job] = (await start(api, registry, settings, order)).words
                started += [job] if known is None else []
    keep_cursor(settings, target, cursor)
    return Look(target=target.name, started=tuple(started), said=said)


def _unbegun(registry: Registry, target: str) -> list[str]:
    """Jobs whose runs an earlier look recorded, and that nobody has begun with."""
    return [
        str(run.trigger["job_id"])
        for run in registry.runs(target, limit=500)
        if run.state == "requested" and run.requested_by == _ACTOR and _is_plain(run.trigger)
    ]


def _is_plain(trigger: dict[str, object]) -> bool:
    return set(trigger) == {"job_id"}
