"""Compares a measurement with its threshold, and says when going on would be pointless."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from evals.checks.check import Check
from evals.checks.measurement import Measurement
from evals.records import CheckOutcome, RestsOn
from evals.stats.futility import is_futile
from evals.stats.interval import Interval
from evals.stats.sequential import plan_looks

__all__ = ["compare_with_threshold", "futile", "rests_on"]

# Power at which a suite is said to resolve a difference, when hoping for less would give up every small suite at once.
_RESOLVED = 0.8


@dataclass(frozen=True, slots=True)
class _HigherIsBetter:
    """A measurement and its threshold, with their signs changed where a rising quantity breaks the check.

    So PASS always lies above the threshold, and each rule is written once.
    """

    lower: float
    upper: float
    estimate: float
    threshold: float


def compare_with_threshold(check: Check, found: Measurement) -> CheckOutcome:
    """Compare a measurement with the check's threshold: PASS or FAIL only when the whole interval is on one side of it.

    Equality with the threshold proves nothing and is INCONCLUSIVE; with `decide_on: point` the estimate alone decides
    and reaching the threshold is enough. Where scores are missing, PASS takes what is true with all of them at their worst,
    FAIL with all at their best.
    """
    oriented = _higher_is_better(check, found)
    if oriented is None or found.blocked:
        return "INCONCLUSIVE"
    if check.decide_on == "point":
        return _by_the_point(check, found, oriented)
    if oriented.lower > oriented.threshold:
        return "PASS"
    return "FAIL" if oriented.upper < oriented.threshold else "INCONCLUSIVE"


def _by_the_point(check: Check, found: Measurement, oriented: _HigherIsBetter) -> CheckOutcome:
    worst = best = oriented.estimate
    if found.at_ends:
        sign = -1.0 if check.spec.rising else 1.0
        worst = -math.inf if found.worst is None else sign * found.worst.estimate
        best = math.inf if found.best is None else sign * found.best.estimate
    if worst >= oriented.threshold:
        return "PASS"
    return "FAIL" if best < oriented.threshold else "INCONCLUSIVE"


def rests_on(check: Check, found: Measurement, outcome: CheckOutcome) -> RestsOn:
    """Return what an outcome follows from."""
    if found.blocked or _higher_is_better(check, found) is None:
        return "rule"
    if check.decide_on == "point":
        return "point"
    return "interval" if compare_with_threshold(check, found) == outcome else "rule"


def futile(
    check: Check, found: Measurement, *, fraction: float, planned: int, alpha: float
) -> bool:
    """Whether the check's chance to pass with the cases still to come is below 20 %, were the models equal.

    Where the suite could hardly show equal models to be equal, or equality is not what is asked, the hope is the
    smallest truth that the whole suite would show with a power of 80 %.
    """
    # A check may only be given up where it would be hopeless whatever the missing answers were.
    if found.at_ends:
        if found.best is None:
            return False
        found = found.at_best()
    oriented = _higher_is_better(check, found)
    if oriented is None or not all(map(math.isfinite, (oriented.lower, oriented.upper))):
        return False
    interval = Interval(
        lower=oriented.lower,
        upper=oriented.upper,
        estimate=oriented.estimate,
        n=found.n,
        method=found.method,
        confidence=found.confidence,
    )
    # The chance to pass is taken under the truth hoped for, not under the estimate so far: early on, a good model's
    # estimate is often low by chance, and would have it given up.
    boundary = plan_looks(planned, alpha=alpha).boundaries[-1]
    critical = -float(special.ndtri(1.0 - found.confidence))
    final_se = interval.width / (2.0 * critical) * math.sqrt(fraction)
    hope = oriented.threshold + (boundary + float(special.ndtri(_RESOLVED))) * final_se
    if check.relative:
        equal = 1.0 if found.ratio else 0.0
        hope = max(hope, -equal if check.spec.rising else equal)
    return is_futile(
        interval, oriented.threshold, fraction, hoped_for=hope, final_boundary=boundary
    )


def _higher_is_better(check: Check, found: Measurement) -> _HigherIsBetter | None:
    """None where there is nothing to compare: a number is missing, or is none."""
    if found.estimate is None or found.lower is None or found.upper is None:
        return None
    threshold = check.spec.threshold(check.threshold, ratio=found.ratio)
    numbers = (found.lower, found.upper, found.estimate, threshold)
    if any(math.isnan(number) for number in numbers) or math.isinf(found.estimate):
        return None
    if not math.isfinite(threshold):
        return None
    if check.spec.rising:
        return _HigherIsBetter(-found.upper, -found.lower, -found.estimate, -threshold)
    return _HigherIsBetter(found.lower, found.upper, found.estimate, threshold)
