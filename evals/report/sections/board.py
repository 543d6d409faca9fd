"""A verdict as a reader sees it: its checks in groups, what speaks against promotion first, and where the asking ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from evals.checks.kinds import kind_spec
from evals.records import Verdict
from evals.report.facts import RunFacts
from evals.report.sections.check import CheckView, check_view
from evals.report.sections.reasons import checks_that_hold

__all__ = ["CheckBoard", "CheckGroup", "boards"]

_GRAVITY = {"ERROR": 0, "FAIL": 1, "INCONCLUSIVE": 2, "PASS": 3, "NOT JUDGED": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckGroup:
    """Checks that stand under one heading."""

    title: str
    lead: str
    checks: tuple[CheckView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckBoard:
    """One verdict with its checks in groups, what speaks against promotion first."""

    title: str
    outcome: str
    summary: str
    reasons: tuple[str, ...]
    groups: tuple[CheckGroup, ...]

    @property
    def checks(self) -> tuple[CheckView, ...]:
        """All checks, in the order shown."""
        return tuple(check for group in self.groups for check in group.checks)


def boards(facts: RunFacts) -> Iterator[CheckBoard]:
    """Word the verdict, and that on the production deployment where there is one."""
    if facts.verdict is not None:
        yield _board("Checks", _own_figures(facts, facts.verdict))
    if facts.production_verdict is not None:
        yield _board("Checks on the production deployment", facts.production_verdict)


def _own_figures(facts: RunFacts, verdict: Verdict) -> Verdict:
    """Leave out of absolute checks what recorded answers scored: that is a figure of other cases than `n` says."""
    if facts.kind != "regression" and not verdict.against:
        return verdict
    checks = tuple(
        one if kind_spec(one.kind).relative else msgspec.structs.replace(one, baseline=None)
        for one in verdict.checks
    )
    return msgspec.structs.replace(verdict, checks=checks)


def _board(title: str, verdict: Verdict) -> CheckBoard:
    gravest_first = sorted(verdict.checks, key=lambda check: check.state != "given_up")
    views = [check_view(check, first_release=verdict.first_release) for check in gravest_first]
    views.sort(key=lambda view: _GRAVITY[view.outcome])
    deciding = [view for view in views if view.decides]
    blocking = [view for view in deciding if view.outcome != "PASS"]
    holding = [view for view in deciding if view.outcome == "PASS"]
    rest = [view for view in views if not view.decides]
    groups = (
        (
            "Not held",
            "Each of these alone is enough to keep the verdict from being PASS.",
            blocking,
        ),
        ("Held", "Shown with the margin by which they hold.", holding),
        (
            "Reported only",
            "These do not decide: shadow checks, slices too small to judge, checks for elsewhere.",
            rest,
        ),
    )
    return CheckBoard(
        title=title,
        outcome=verdict.outcome,
        summary=_summary(verdict) + _ending(verdict),
        reasons=verdict.reasons,
        groups=tuple(
            CheckGroup(title=title, lead=lead, checks=tuple(checks))
            for title, lead, checks in groups
            if checks
        ),
    )


def _summary(verdict: Verdict) -> str:
    rest = sum(not check.decides for check in verdict.checks)
    if rest == len(verdict.checks):
        return "No check decides: that is never a pass."
    held = checks_that_hold(verdict.checks)
    reported = f"; {rest:,} more {'is' if rest == 1 else 'are'} reported only" if rest else ""
    return f"{held[0].upper()}{held[1:]}{reported}."


def _ending(verdict: Verdict) -> str:
    """Where a run that could look early ended, and why."""
    return f" {verdict.ending[0].upper()}{verdict.ending[1:]}." if verdict.ending else ""
