"""Examines one check on the evidence there is: measured, covered, at the level that is due, and with what outcome."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from evals.checks.check import Check
from evals.checks.comparability import ComparedResults, having
from evals.checks.comparison import compare, due_rows, measure, paired_rows
from evals.checks.measurement import Measurement
from evals.checks.methods import IncomparableError
from evals.gate.decision import compare_with_threshold, futile, rests_on
from evals.gate.explanations import explain, state_at_look, too_few, unscored_share
from evals.gate.looks import CheckLook, LookHistory
from evals.gate.policy import GatePolicy
from evals.metrics.results import ModelResults
from evals.records import CheckOutcome, CheckResult, CheckState, LookPosition, Role, Slot
from evals.stats.sequential import FIRST_LOOK, Look, look_at

__all__ = ["Evidence", "Examiner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is judged: results by suite name. `baseline` is None for a first release.

    `release` is False for a look at what is live already. `slot` says where the candidate was measured.
    """

    candidate: Mapping[str, ModelResults]
    baseline: Mapping[str, ModelResults] | None
    slot: Slot = "developer"
    release: bool = True

    def asked(self, check: Check) -> list[tuple[Role, str]]:
        """Return the models and suites that a check needs answers from. Raises IncomparableError for none."""
        suites = [results.suite for results in having(check, self.candidate)]
        roles: list[Role] = ["candidate"]
        if check.relative and self.baseline is not None:
            roles.append("baseline")
        return [(role, suite) for role in roles for suite in suites]


class Examiner:
    """Examines the checks of one policy on one body of evidence; without `looks` on a sample of fixed size."""

    def __init__(self, policy: GatePolicy, evidence: Evidence, looks: LookHistory | None) -> None:
        self.policy, self.evidence = policy, evidence
        self.looks = looks or LookHistory(look=1, rounds=1)
        self.results = ComparedResults(evidence.candidate, evidence.baseline)

    def examine(self, check: Check) -> CheckLook:
        """Examine a check whose `each` is unfolded. Never raises for what the evidence holds: that is an ERROR."""
        settled = self._settled(check)
        if settled is not None:
            return settled
        blank = _blank(check, self.policy.confidence)
        not_here = self._not_measured_here(check)
        if not_here is not None:
            return _ruled(check, _with_finding(blank, not_here, decides=False), decided=True)
        try:
            candidate, baseline = self.results.of(check)
            return self._measured(check, candidate, baseline, blank)
        except IncomparableError as error:
            return _ruled(check, _with_finding(blank, str(error), outcome="ERROR"), decided=True)
        except (ValueError, ArithmeticError, KeyError) as error:
            # Later answers may make it measurable: a ratio to a baseline that was 0 so far, for instance.
            result = _with_finding(blank, str(error), outcome="ERROR")
            return _ruled(check, result, decided=self.looks.final)

    def _settled(self, check: Check) -> CheckLook | None:
        """What an earlier look settled: a decision, or a check beside the decision whose cases were asked no further."""
        latched = self.looks.latched(check.key)
        if latched is not None:
            return latched[1]
        if not self.looks.only_reported(check.key):
            return None
        try:
            return self.looks.last_whole(check.key, check.where, self.evidence.asked(check))
        except IncomparableError:
            return None

    def _not_measured_here(self, check: Check) -> str | None:
        if check.measure_on != self.evidence.slot:
            return f"measured on the {check.measure_on} deployment, not here"
        if check.relative and self.evidence.baseline is None:
            return "no live baseline to compare with"
        return None

    def _measured(
        self,
        check: Check,
        candidate: ModelResults,
        baseline: ModelResults | None,
        blank: CheckResult,
    ) -> CheckLook:
        planned = int(due_rows(check, candidate).sum())
        n = int(paired_rows(check, candidate, baseline).sum())
        due = self._due(check, n, planned)
        confidence = self._confidence(check, due)
        found = (
            compare(check, candidate, baseline, confidence)
            if check.relative and baseline is not None
            else measure(check, candidate, baseline, confidence)
        )
        numbers = _changed(_with_numbers(blank, found), look=self._position(planned))
        if check.min_cases is not None and planned < check.min_cases:
            few = _too_few(check, numbers)
            return _ruled(check, few, decided=few.decides or self.looks.final)
        uncovered = unscored_share(check, candidate, baseline, self.policy.min_scored)
        if uncovered is None and check.min_cases is not None and n < check.min_cases:
            uncovered = too_few(check, n)
        if uncovered is not None:
            return _ruled(check, _with_finding(numbers, uncovered), decided=self.looks.final)
        return self._compared(check, found, numbers, due, planned)

    def _position(self, planned: int) -> LookPosition | None:
        if self.looks.rounds == 1:
            return None
        return LookPosition(look=self.looks.look, rounds=self.looks.rounds, planned=planned)

    def _due(self, check: Check, n: int, planned: int) -> Look | None:
        """The look that is due on n of the planned cases; None when there is none yet, or no plan of looks at all."""
        alpha = 1.0 - self.policy.confidence
        made = [count for count in self.looks.counts(check.key) if count < n]
        if check.mode == "shadow" or n == 0:
            return None
        if self.looks.final or n == planned:
            return look_at([*made, n], max(planned, n), final=True, alpha=alpha)
        least = max(FIRST_LOOK, check.min_cases or 0)
        if check.decide_on == "point" or n < least or planned < 2 * FIRST_LOOK:
            return None
        if made != self.looks.counts(check.key):  # not one case more than at the look before
            return None
        return look_at([*made, n], planned, final=False, alpha=alpha)

    def _confidence(self, check: Check, due: Look | None) -> float:
        if due is None or (due.final and due.index == 0):
            return self.policy.confidence
        return due.confidence if due.can_decide else 1.0 - 1e-12

    def _compared(
        self,
        check: Check,
        found: Measurement,
        numbers: CheckResult,
        due: Look | None,
        planned: int,
    ) -> CheckLook:
        final = self.looks.final or (due is not None and due.final)
        deciding = final or check.mode == "shadow" or (due is not None and due.can_decide)
        outcome: CheckOutcome = compare_with_threshold(check, found) if deciding else "INCONCLUSIVE"
        state: CheckState = "open"
        if final or (numbers.decides and outcome != "INCONCLUSIVE"):
            state = "decided"
        elif self._futile(check, found, due, planned):
            state = "given_up"
        finding = explain(check, found, outcome)
        if numbers.look is not None and check.mode != "shadow":
            finding += state_at_look(state, numbers.look, found.n)
        result = _with_finding(
            numbers,
            finding,
            outcome=outcome,
            state=state,
            rests_on=rests_on(check, found, outcome),
        )
        return CheckLook(
            key=check.key,
            n=found.n,
            counted=due is not None and not found.blocked,
            decided=state == "given_up" or (state == "decided" and numbers.decides),
            result=result,
            futile=state == "given_up",
        )

    def _futile(self, check: Check, found: Measurement, due: Look | None, planned: int) -> bool:
        if not self.policy.futility or due is None or due.final or found.blocked:
            return False
        alpha = 1.0 - self.policy.confidence
        return futile(check, found, fraction=due.fraction, planned=planned, alpha=alpha)


def _too_few(check: Check, result: CheckResult) -> CheckResult:
    finding = too_few(check, result.n)
    if check.if_too_few == "report":
        return _with_finding(result, finding, outcome="INCONCLUSIVE", decides=False)
    outcome: CheckOutcome = "FAIL" if check.if_too_few == "fail" else "INCONCLUSIVE"
    return _with_finding(result, finding, outcome=outcome)


def _blank(check: Check, confidence: float) -> CheckResult:
    return CheckResult(
        check=check.label,
        metric=check.metric,
        kind=check.kind,
        threshold=check.threshold,
        outcome="INCONCLUSIVE",
        reason="",
        decides=check.mode == "enforce",
        suite=check.suite,
        slice=check.where,
        n=0,
        confidence=confidence,
        overridable=check.overridable,
        measure_on=check.measure_on,
        decide_on=check.decide_on,
        percent=check.percent,
        rests_on="rule",
    )


def _with_numbers(blank: CheckResult, found: Measurement) -> CheckResult:
    return _changed(
        blank,
        n=found.n,
        candidate=_finite(found.candidate),
        baseline=_finite(found.baseline),
        estimate=_finite(found.estimate),
        lower=_finite(found.lower),
        upper=_finite(found.upper),
        confidence=found.confidence if found.estimate is not None else blank.confidence,
        method=found.method,
        warnings=found.warnings,
    )


def _ruled(check: Check, result: CheckResult, *, decided: bool) -> CheckLook:
    """A result that rests on a rule instead of the interval: no alpha is spent on it."""
    state: CheckState = "decided" if decided else "open"
    return CheckLook(
        key=check.key,
        n=result.n,
        counted=False,
        decided=decided,
        result=_changed(result, state=state),
    )


def _with_finding(result: CheckResult, finding: str, **more: Any) -> CheckResult:
    return _changed(result, reason=f"{result.check}: {finding}", **more)


def _finite(number: float | None) -> float | None:
    """An unbounded side is kept as None: records hold finite numbers only."""
    return number if number is not None and math.isfinite(number) else None


_changed = msgspec.structs.replace
