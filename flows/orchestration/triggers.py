"""From a finished fine-tuning job to a promotion run: which target it is for, and the one flow run it starts.

A job belongs to a target when its metadata says so (`target: support-triage`), or when the target's `watch` block
matches its suffix or metadata. Webhook, poller and a person all start it under the same key, so one job is one run.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from evals.errors import GatewrightError
from evals.records import Record
from flows.config.connections import platform_of
from flows.config.target import Target, load_target, target_names
from flows.files import read_record, write_record
from flows.orchestration.prefect_api import PrefectApi
from flows.platforms.fine_tuning.jobs import finished_since, get_job
from flows.platforms.fine_tuning.records import Job
from flows.settings import Settings

__all__ = [
    "DEPLOYMENT",
    "WatchOutcome",
    "find_job",
    "start_finished",
    "start_promotion",
    "targets_wanting",
    "watch_targets",
]

DEPLOYMENT = "promotion/promotion"
OVERLAP_S = 300.0


class Cursor(Record, frozen=True, kw_only=True):
    """Since when a target is watched, and up to when it was looked at, in seconds since the epoch."""

    watched_since: float
    seen_until: float

    @property
    def begin(self) -> float:
        """Where the next look begins: a little back, since clocks differ and lists lag, yet never before the first."""
        return max(self.watched_since, self.seen_until - OVERLAP_S)


class WatchOutcome(Record, frozen=True, kw_only=True):
    """The jobs that a look for one target started a promotion for; `problem` says why it could not look."""

    target: str
    started: tuple[str, ...] = ()
    problem: str = ""


def targets_wanting(job: Job, targets: Iterable[Target]) -> tuple[Target, ...]:
    """Return the targets a job is for."""
    return tuple(target for target in targets if _matches(job, target))


async def find_job(job_id: str, targets: Sequence[Target]) -> tuple[Job, tuple[Target, ...]] | None:
    """Ask the targets' platforms for a job; None when none of them knows it. Raises the last platform's error."""
    failure: Exception | None = None
    for target in targets:
        platform = platform_of(target)
        try:
            job = await get_job(platform, job_id)
            return job, targets_wanting(job, targets)
        except Exception as error:  # another target's platform may know it
            failure = error
        finally:
            await platform.aclose()
    if failure is not None:
        raise failure
    return None


async def start_promotion(api: PrefectApi, target: str, job_id: str, *, requested_by: str) -> str:
    """Start the promotion of a job's model, once. Returns the flow run's id."""
    return await api.create_flow_run(
        DEPLOYMENT,
        {"target": target, "job_id": job_id, "requested_by": requested_by},
        idempotency_key=f"{target}:{job_id}",
        name=f"{target} {job_id}",
    )


async def watch_targets(
    settings: Settings, api: PrefectApi, target: str | None = None, *, since: float | None = None
) -> tuple[WatchOutcome, ...]:
    """Look for one target, or for every one there is, beside one another: each failure is a problem of its target alone."""
    names = (target,) if target is not None else target_names(settings.targets)
    return tuple(await asyncio.gather(*(_watched(settings, api, name, since) for name in names)))


async def _watched(
    settings: Settings, api: PrefectApi, name: str, since: float | None
) -> WatchOutcome:
    try:
        target = load_target(settings.targets, name)
        jobs = await start_finished(settings, api, target, since=since)
    except GatewrightError as error:
        return WatchOutcome(target=name, problem=" ".join(str(error).splitlines()))
    return WatchOutcome(target=name, started=jobs)


async def start_finished(
    settings: Settings, api: PrefectApi, target: Target, *, since: float | None = None
) -> tuple[str, ...]:
    """Start a promotion for every job of a target that finished since the last look. Returns the jobs' ids.

    The first look without `since` only remembers the time: an account full of old fine-tunes starts nothing.
    """
    # Platforms tell the end of a job in whole seconds: one that ends within this second is not to be missed.
    now, path = math.floor(time.time()), _cursor_path(settings, target)
    cursor = read_record(path, Cursor)
    begin = since if since is not None else cursor.begin if cursor else now
    started = []
    for job in await _finished(target, begin):
        if job.model_id and targets_wanting(job, [target]):
            await start_promotion(api, target.name, job.id, requested_by="watch")
            started.append(job.id)
    watched_since = cursor.watched_since if cursor else begin
    write_record(path, Cursor(watched_since=watched_since, seen_until=now))
    return tuple(started)


async def _finished(target: Target, since: float) -> Sequence[Job]:
    platform = platform_of(target)
    try:
        return await finished_since(platform, since)
    finally:
        await platform.aclose()


def _matches(job: Job, target: Target) -> bool:
    if job.metadata.get("target") == target.name:
        return True
    wanted = target.watch
    if not wanted:
        return False
    suffix = wanted.get("suffix", "*")
    return fnmatchcase(job.suffix or "", suffix) and all(
        job.metadata.get(key) == value for key, value in wanted.get("metadata", {}).items()
    )


def _cursor_path(settings: Settings, target: Target) -> Path:
    return settings.home / "watch" / f"{target.name}.json"
