"""Makes the `CheckResult` of a check: from its policy, its measurement, and the finding in words."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from evals.checks.check import Check
from evals.checks.measurement import Measurement
from evals.gate.explanations import too_few
from evals.records import CheckOutcome, CheckResult

__all__ = ["blank_result", "too_few_result", "with_finding", "with_measurement"]


def too_few_result(check: Check, result: CheckResult) -> CheckResult:
    """Return what the policy says of a check whose suite has fewer cases than `min_cases`."""
    finding = too_few(check, result.n)
    if check.if_too_few == "report":
        return with_finding(result, finding, outcome="INCONCLUSIVE", decides=False)
    outcome: CheckOutcome = "FAIL" if check.if_too_few == "fail" else "INCONCLUSIVE"
    return with_finding(result, finding, outcome=outcome)


def blank_result(check: Check, confidence: float) -> CheckResult:
    """Return the undecided result of a check that was not measured yet."""
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
        gate_confidence=confidence,
        against=check.against,
    )


def with_measurement(blank: CheckResult, found: Measurement) -> CheckResult:
    """Return the result with the numbers of a measurement."""
    return msgspec.structs.replace(
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
        missing_candidate=found.missing[0],
        missing_baseline=found.missing[1],
        missing_left_out=any(found.missing) and found.n < found.asked,
        measured=not found.broken and (found.estimate is not None or found.candidate is not None),
    )


def with_finding(result: CheckResult, finding: str, **more: Any) -> CheckResult:
    """Return the result with its reason; `more` are further fields to change."""
    return msgspec.structs.replace(result, reason=f"{result.check}: {finding}", **more)


def _finite(number: float | None) -> float | None:
    """An unbounded side is kept as None: records hold finite numbers only."""
    return number if number is not None and math.isfinite(number) else None
