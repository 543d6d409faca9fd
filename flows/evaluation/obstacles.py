"""What stands in the way of a run here, whatever the platform says: no room for what it writes, a hold on its target.

Asked before it asks a model, since each answer is paid for.
"""

from __future__ import annotations

from evals.files.full_disk import lacking_room
from evals.report.numbers import instant
from evals.report.sanitise import one_line
from flows.evaluation.open_run import OpenRun
from flows.platforms.base import Finding
from flows.registry.store import Registry

__all__ = ["disk_findings", "hold_findings"]

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


def hold_findings(registry: Registry, target: str) -> tuple[Finding, ...]:
    """Return a warning of the hold on a target; nothing where there is none."""
    held = registry.held(target)
    if held is None:
        return ()
    since = f"{one_line(held.actor, 80)} since {instant(held.since)}"
    return (
        Finding(
            name="hold",
            level="warn",
            message=f"the target is held by {since}: {one_line(held.why, 300)}; what passes is refused until it is released",
            fix=f"gatewright release {target} --reason '…', then promote",
        ),
    )


def _finding(message: str, *, failed: bool = False) -> Finding:
    return Finding(name="disk", level="fail" if failed else "warn", message=message)
