"""From a finished fine-tuning job to the targets it is for, and the jobs of a target that finished lately.

A job belongs to a target when its metadata says so (`target: support-triage`), or when the target's `watch` block
matches its suffix or metadata. What starts its promotion is `flows.service.dispatcher.starting`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from evals.records import Record
from flows.config.connections import platform_of
from flows.config.target import Target
from flows.files import read_record, write_record
from flows.platforms.fine_tuning.jobs import finished_since, get_job
from flows.platforms.fine_tuning.records import Job
from flows.settings import Settings

__all__ = [
    "DEPLOYMENT",
    "Cursor",
    "find_job",
    "finished_jobs",
    "keep_cursor",
    "targets_wanting",
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


async def finished_jobs(
    settings: Settings, target: Target, since: float | None = None
) -> tuple[tuple[Job, ...], Cursor]:
    """Return the jobs for a target that finished since the last look, and the mark to keep once they are dealt with.

    The first look without `since` finds nothing: an account full of old fine-tunes starts nothing.
    """
    # Platforms tell the end of a job in whole seconds: one that ends within this second is not to be missed.
    now, cursor = math.floor(time.time()), read_record(_cursor_path(settings, target), Cursor)
    begin = since if since is not None else cursor.begin if cursor else now
    found = await _finished(target, begin)
    ours = tuple(job for job in found if job.model_id and targets_wanting(job, [target]))
    watched_since = cursor.watched_since if cursor else begin
    return ours, Cursor(watched_since=watched_since, seen_until=now)


def keep_cursor(settings: Settings, target: Target, cursor: Cursor) -> None:
    """Begin the next look where this one ended."""
    write_record(_cursor_path(settings, target), cursor)


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
