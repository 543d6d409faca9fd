"""Looks, before money is spent, for cases that the candidate was trained on.

Its training file is fetched from the platform and kept in the run's folder; where the platform has none any more, the
suites' own `training:` files stand in. The gate's `training_overlap` says what is refused and what is only reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from evals.errors import ConfigurationError, PlatformError, Problem, RefusedError
from evals.files import replace_file
from evals.suites.leakage import Leak, find_leak, leak_problems, leak_words
from flows.evaluation.open_run import OpenRun
from flows.platforms.base import Finding
from flows.platforms.fine_tuning.jobs import get_job, read_file

__all__ = ["LEAKS", "UNKNOWN", "look_for_leaks"]

LEAKS = "training overlap"
"""Name of these findings."""

UNKNOWN = "training file"
"""Name of the finding that there is nothing to hold a suite against: it says nothing of the candidate."""

_KEPT = "training.jsonl"


async def look_for_leaks(run: OpenRun) -> tuple[tuple[Finding, ...], tuple[Problem, ...]]:
    """Hold every suite of a run against what its candidate was trained on.

    Returns a finding for each suite (a warning when anything was found, or nothing could be compared) and a problem
    for every case that the gate refuses.
    """
    file = await _training_file(run)
    name = _file_name(run) if file is not None else ""
    # Arithmetic of up to some seconds: in a thread, because the same loop may answer others.
    try:
        leaks = await asyncio.to_thread(_compare, run, file, name)
    except ConfigurationError as error:
        if file is None:
            raise
        return (_warning(f"the training file can't be compared: {error.problems[0]}"),), ()
    policy = run.policy.training_overlap
    problems = [
        problem
        for opened, leak in zip(run.plan.suites, leaks, strict=True)
        if leak is not None
        for problem in leak_problems(opened.suite, leak, policy)
    ]
    return tuple(
        _finding(opened.suite.name, leak)
        for opened, leak in zip(run.plan.suites, leaks, strict=True)
    ), tuple(problems)


def _compare(run: OpenRun, file: Path | None, name: str) -> Sequence[Leak | None]:
    return [find_leak(opened.suite, file, file=name) for opened in run.plan.suites]


async def _training_file(run: OpenRun) -> Path | None:
    """Return the candidate's training file in the run's folder, fetched once; None when it can't be had."""
    kept = run.folder / _KEPT
    if kept.exists():
        return kept
    try:
        file_id = await _file_id(run)
        content = await read_file(run.platform, file_id) if file_id else None
    except (PlatformError, RefusedError):
        return None
    if content is None:
        return None
    replace_file(kept, content)
    return kept


async def _file_id(run: OpenRun) -> str | None:
    candidate = run.record.candidate
    if candidate is None or candidate.training_file or candidate.job_id is None:
        return candidate.training_file if candidate else None
    return (await get_job(run.platform, candidate.job_id)).training_file


def _file_name(run: OpenRun) -> str:
    candidate = run.record.candidate
    return f"training file {(candidate.training_file if candidate else None) or 'of the candidate'}"


def _finding(suite: str, leak: Leak | None) -> Finding:
    if leak is None:
        return Finding(
            name=UNKNOWN,
            level="warn",
            message=f"no training file is known to hold {suite} against",
            fix="name one by 'training:' in its suite.yaml",
        )
    if leak.overlap.exact or leak.overlap.near:
        return _warning(leak_words(leak), "gatewright suite check shows them all")
    return Finding(name=LEAKS, level="ok", message=leak_words(leak))


def _warning(message: str, fix: str = "") -> Finding:
    return Finding(name=LEAKS, level="warn", message=message, fix=fix)
