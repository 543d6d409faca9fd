"""Is there room for what a run will write? Asked before it asks a model, since each answer is paid for."""

from __future__ import annotations

from evals.files.full_disk import lacking_room
from flows.evaluation.open_run import OpenRun
from flows.platforms.base import Finding

__all__ = ["disk_findings"]

_ANSWER_BYTES = 1024
"""What a short answer takes in the journal, with its scores: 800 to 960 bytes measured where answers are labels, report and all."""
_TOKEN_BYTES = 4
_REST_BYTES = 4 << 20
"""What a run writes besides: its report, the registry's log, a kept suite."""


def disk_findings(run: OpenRun) -> tuple[Finding, ...]:
    """Return a failure when short answers have no room, a warning when answers as long as they may be have none."""
    answers = sum(
        len(opened.suite.cases) * run.deal.repeats[opened.suite.name] for opened in run.plan.suites
    ) * len(run.evaluation.roles)
    if lacking := lacking_room(run.folder, answers * _ANSWER_BYTES + _REST_BYTES):
        return (_finding(f"{answers:,} answers need more: {lacking}", failed=True),)
    tokens = max(run.evaluation.most_tokens.get(role) or 0 for role in run.evaluation.roles)
    long = answers * (_ANSWER_BYTES + _TOKEN_BYTES * tokens) + _REST_BYTES
    if lacking := lacking_room(run.folder, long):
        return (_finding(f"{answers:,} answers of {tokens:,} tokens may need more: {lacking}"),)
    return ()


def _finding(message: str, *, failed: bool = False) -> Finding:
    return Finding(name="disk", level="fail" if failed else "warn", message=message)
