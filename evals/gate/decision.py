"""Holds a measurement against its bar, and says when going on would be pointless."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from evals.checks.check import RISING, Check
from evals.checks.measurement import Measurement
from evals.records import CheckOutcome
from evals.stats.futility import is_futile
from evals.stats.interval import Interval
from evals.stats.sequential import plan_looks

__all__ = ["bar_of", "futile", "hold"]

# Power at which a suite is said to resolve a difference, when hoping for less would give up every small suite at once.
_RESOLVED = 0.8


@dataclass(frozen=True, slots=True)
class _Turned:
    """A measurement turned so that more is better."""

    low: float
    high: float
    point: float
    bar: float


def hold(check: Check, found: Measurement) -> CheckOutcome:
    """Hold a measurement against the bar: PASS or FAIL only when the whole bound is on one side of it.

    Equality with the bar proves nothing and is INCONCLUSIVE; with `decide_on: point` the estimate alone decides and
    reaching the bar is enough.
    """
    turned = _turned(check, found)
    if turned is None or found.blocked:
        return "INCONCLUSIVE"
    if check.decide_on == "point":
        return "PASS" if turned.point >= turned.bar else "FAIL"
    if turned.low > turned.bar:
        return "PASS"
    return "FAIL" if turned.high < turned.bar else "INCONCLUSIVE"


def bar_of(check: Check, found: Measurement) -> float:
    """The value the measured quantity is held against: a level, a signed difference, or a ratio."""
    sign = -1.0 if check.kind == "max_drop" else 1.0
    if check.kind in ("at_least", "at_most"):
        return check.threshold
    return 1.0 + sign * check.threshold if found.ratio else sign * check.threshold


def futile(
    check: Check, found: Measurement, *, fraction: float, planned: int, alpha: float
) -> bool:
    """Whether the check's chance to pass with the cases still to come is below 20 %, were the models equal.

    Where the suite could hardly show equal models to be equal, or equality is not what is asked, the hope is the
    smallest truth that the whole suite would show with a power of 80 %.
    """
    turned = _turned(check, found)
    if turned is None or not all(map(math.isfinite, (turned.low, turned.high))):
        return False
    interval = Interval(
        lower=turned.low,
        upper=turned.high,
        estimate=turned.point,
        n=found.n,
        method=found.method,
        confidence=found.confidence,
    )
    boundary = plan_looks(planned, alpha=alpha).boundaries[-1]
    critical = -float(special.ndtri(1.0 - found.confidence))
    final_se = interval.width / (2.0 * critical) * math.sqrt(fraction)
    hope = turned.bar + (boundary + float(special.ndtri(_RESOLVED))) * final_se
    if check.relative:
        equal = 1.0 if found.ratio else 0.0
        hope = max(hope, -equal if check.kind in RISING else equal)
    return is_futile(interval, turned.bar, fraction, hoped_for=hope, final_boundary=boundary)


def _turned(check: Check, found: Measurement) -> _Turned | None:
    """None where there is nothing to hold against anything: a number is missing, or is none."""
    if found.estimate is None or found.lower is None or found.upper is None:
        return None
    bar = bar_of(check, found)
    numbers = (found.lower, found.upper, found.estimate, bar)
    if any(math.isnan(number) for number in numbers) or math.isinf(found.estimate):
        return None
    if not math.isfinite(bar):
        return None
    if check.kind in RISING:
        return _Turned(-found.upper, -found.lower, -found.estimate, -bar)
    return _Turned(found.lower, found.upper, found.estimate, bar)
