"""How many checks hold, of how many that decide: counted in one place, so that a page never says it in two ways."""

from __future__ import annotations

from collections.abc import Iterable

from evals.records import CheckResult
from evals.report.numbers import counted

__all__ = ["checks_that_hold"]


def checks_that_hold(checks: Iterable[CheckResult]) -> str:
    """Return in words how many of a verdict's deciding checks hold; those that are only reported are not counted."""
    deciding = [check for check in checks if check.decides]
    held = sum(check.outcome == "PASS" for check in deciding)
    if not deciding:
        return "no check decided"
    if held < len(deciding):
        of = counted(len(deciding), "deciding check")
        return f"{held:,} of {of} {'holds' if held == 1 else 'hold'}"
    return f"all {held:,} deciding checks hold" if held > 1 else "the one deciding check holds"
