"""Finds a job on the platforms, and the targets it is for, when some platform or target file may be out of order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evals.errors import ConfigurationError, InfrastructureError, Problem, RefusedError
from evals.records import digest
from flows.config.target import Target, load_target, target_names
from flows.orchestration.triggers import find_job
from flows.platforms.fine_tuning.records import Job
from flows.settings import Settings

__all__ = ["JobMatch", "NotYetError", "find", "unwanted"]


class NotYetError(InfrastructureError):
    """What was found can't be acted upon now and may be later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMatch:
    """A job with the targets it is for; the targets' names when it is for none."""

    job: Job
    targets: tuple[Target, ...]
    known: tuple[str, ...]


async def find(settings: Settings, job_id: str) -> JobMatch:
    """Ask every platform that a target stands on for the job.

    A platform that is down, or a target file with a mistake, hinders only what depends on it.

    Raises:
        RefusedError: every platform was asked and none knows the job.
        ConfigurationError: it may be for a target whose file has problems, or a credential is missing.
        InfrastructureError: it may be on a platform that does not answer.
    """
    targets, problems = _load(settings)
    jobs: list[Job] = []
    wanted: dict[str, Target] = {}
    failures: list[Exception] = []
    for group in _by_platform(targets):
        try:
            found = await find_job(job_id, group)
        except Exception as error:
            failures.append(error)
            continue
        if found is not None:
            jobs.append(found[0])
            wanted |= {target.name: target for target in found[1]}
    if not wanted:
        _raise_what_hinders(jobs, failures, problems)
    known = target_names(settings.targets)
    return JobMatch(job=jobs[0], targets=tuple(wanted.values()), known=known)


def unwanted(found: JobMatch) -> str:
    """Say in words that a job is for no target here."""
    job = found.job
    named = job.metadata.get("target")
    whose = f" (its metadata says '{named}')" if named else f" (suffix {job.suffix or 'none'})"
    return f"{job.id} is for no target here{whose}; there are {', '.join(found.known) or 'none'}"


def _raise_what_hinders(
    jobs: Sequence[Job], failures: Sequence[Exception], problems: Sequence[Problem]
) -> None:
    """Nothing wants the job so far: say so only when everything could be asked."""
    if problems:
        raise ConfigurationError(problems)
    for failure in failures:
        if not isinstance(failure, RefusedError):
            raise failure
    if not jobs:
        raise failures[0] if failures else RefusedError("there are no targets")


def _load(settings: Settings) -> tuple[list[Target], list[Problem]]:
    targets: list[Target] = []
    problems: list[Problem] = []
    for name in target_names(settings.targets):
        try:
            targets.append(load_target(settings.targets, name))
        except ConfigurationError as error:
            problems.extend(error.problems)
    return targets, problems


def _by_platform(targets: Sequence[Target]) -> list[list[Target]]:
    """Targets on the same platform with the same options are asked for together."""
    groups: dict[str, list[Target]] = {}
    for target in targets:
        key = digest({"platform": target.platform, "options": target.options})
        groups.setdefault(key, []).append(target)
    return list(groups.values())
