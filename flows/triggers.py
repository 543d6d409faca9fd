"""From a finished fine-tuning job to a promotion run: which target it is for, and the one flow run it starts.

A job belongs to a target when its metadata says so (`target: support-triage`), or when the target's `watch` block
matches its suffix or metadata. Webhook, poller and a person all start it under the same key, so one job is one run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from evals.errors import ConfigurationError, Problem
from evals.records import Record
from flows.platforms.job_records import Job
from flows.platforms.jobs import finished_since, get_job
from flows.platforms.opening import open_platform
from flows.prefect_api import PrefectApi
from flows.run_folder import read_record, write_record
from flows.settings import Settings
from flows.target import Target, load_target, target_names

__all__ = [
    "DEPLOYMENT",
    "all_targets",
    "find_job",
    "start_finished",
    "start_promotion",
    "wanted_by",
]

DEPLOYMENT = "promotion/promotion"


class Cursor(Record, frozen=True, kw_only=True):
    """Up to when finished jobs of a target were looked at, in seconds since the epoch."""

    seen_until: float


def all_targets(settings: Settings) -> tuple[Target, ...]:
    """Read every target file. Raises ConfigurationError with the problems of all of them."""
    found: list[Target] = []
    problems: list[Problem] = []
    for name in target_names(settings.targets):
        try:
            found.append(load_target(settings.targets, name))
        except ConfigurationError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigurationError(problems)
    return tuple(found)


def wanted_by(job: Job, targets: Iterable[Target]) -> tuple[Target, ...]:
    """Return the targets a job is for."""
    return tuple(target for target in targets if _matches(job, target))


async def find_job(job_id: str, targets: Sequence[Target]) -> tuple[Job, tuple[Target, ...]] | None:
    """Ask the targets' platforms for a job; None when none of them knows it. Raises the last platform's error."""
    failure: Exception | None = None
    for target in targets:
        platform = open_platform(target.platform, target.options, os.environ)
        try:
            job = await get_job(platform, job_id)
            return job, wanted_by(job, targets)
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


async def start_finished(
    settings: Settings, api: PrefectApi, target: Target, *, since: float | None = None
) -> tuple[str, ...]:
    """Start a promotion for every job of a target that finished since the last look. Returns the jobs' ids.

    The first look without `since` only remembers the time: an account full of old fine-tunes starts nothing.
    """
    now, path = time.time(), _cursor_path(settings, target)
    cursor = read_record(path, Cursor)
    begin = since if since is not None else cursor.seen_until if cursor else now
    started = []
    for job in await _finished(target, begin):
        if job.model_id and wanted_by(job, [target]):
            await start_promotion(api, target.name, job.id, requested_by="watch")
            started.append(job.id)
    # Clocks differ and lists lag: the next look goes a little back, and the key makes a job seen twice harmless.
    write_record(path, Cursor(seen_until=now - 300 if cursor or since is not None else now))
    return tuple(started)


async def _finished(target: Target, since: float) -> Sequence[Job]:
    platform = open_platform(target.platform, target.options, os.environ)
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
