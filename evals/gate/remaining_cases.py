"""What is still to be asked after a look: what open checks need, and of a gate with an anchor the candidate's whole suites."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from evals.checks.check import Check
from evals.checks.methods import IncomparableError
from evals.gate.examiner import Evidence
from evals.gate.looks import RemainingCases
from evals.gate.policy import GatePolicy

__all__ = ["asked_to_the_end", "remaining"]


def asked_to_the_end(policy: GatePolicy, evidence: Evidence) -> list[RemainingCases]:
    """Return the suites that a candidate is asked to the end although every check is decided.

    What goes live may be an anchor one day. Kept answers of a few cases would be one that nothing can be proven against.
    """
    if not evidence.release:
        return []
    suites: set[str] = set()
    for check in policy.checks:
        if check.against == "anchor" and check.mode == "enforce":
            with suppress(IncomparableError):  # examining the check says why
                suites |= {suite for _, suite in evidence.asked(check)}
    return [RemainingCases(role="candidate", suite=suite) for suite in sorted(suites)]


def remaining(
    evidence: Evidence, checks: Iterable[Check], whole: Iterable[RemainingCases] = ()
) -> Iterator[RemainingCases]:
    """Yield what the open checks need, without what is part of something wider.

    A settled check needs no further cases; a case is asked if any open check is about it.
    """
    wanted = [
        RemainingCases(role=role, suite=suite, where=check.where)
        for check in checks
        for role, suite in evidence.asked(check)
    ]
    wanted += whole
    for need in dict.fromkeys(map(_key_of, wanted)):
        plain = RemainingCases(role=need[0], suite=need[1], where=dict(need[2]))
        if not any(_contains(other, plain) for other in wanted):
            yield plain


def _key_of(need: RemainingCases) -> tuple[Any, str, tuple[tuple[str, str], ...]]:
    return need.role, need.suite, tuple(sorted(need.where.items()))


def _contains(other: RemainingCases, need: RemainingCases) -> bool:
    same = (other.role, other.suite) == (need.role, need.suite)
    return same and other.where != need.where and other.where.items() <= need.where.items()
