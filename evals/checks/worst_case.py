"""Bounds that hold whatever the missing answers were: each check measured with them at their worst and at their best.

Bounds rise with every score, so that those with all missing scores at one end hold for all that the scores could have been;
and so does the error rate, at every look (Horowitz & Manski 2000).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.checks.check import Check
from evals.checks.missing import filled
from evals.metrics.estimates import MetricSpec
from evals.metrics.results import ModelResults
from evals.stats.interval import Interval

__all__ = ["Sides", "Take", "WorstAndBest", "outer_bounds", "rise_is_worse", "widened"]

Mask = NDArray[np.bool_]
Take = Callable[[ModelResults, ModelResults | None, Mask], Interval]
"""Takes the interval of a check's quantity from both models' results over some cases."""


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared: candidate and baseline (None for an absolute check) over the cases that were asked, of those `due`."""

    spec: MetricSpec
    candidate: ModelResults
    baseline: ModelResults | None
    asked: Mask
    due: Mask

    @property
    def count(self) -> int:
        """How many cases were asked."""
        return int(np.count_nonzero(self.asked))


@dataclass(frozen=True, slots=True)
class WorstAndBest:
    """Intervals with all that is missing at its worst and at its best for a check; None where there is no bound then.

    `lower` and `upper` are the outer bounds of both.
    """

    worst: Interval | None
    best: Interval | None
    lower: float
    upper: float


def rise_is_worse(check: Check, spec: MetricSpec) -> bool:
    """Return whether a high score of the candidate is bad for a check."""
    return check.spec.rising or (check.spec.superiority and not spec.higher_is_better)


def outer_bounds(check: Check, sides: Sides, take: Take) -> WorstAndBest:
    """Measure a check twice, with the missing scores at either end.

    Raises ValueError as the method does, and where no bound is left on either side.
    """
    high = rise_is_worse(check, sides.spec)
    worst, best = _at_ends(sides, take, high=high), _at_ends(sides, take, high=not high)
    # The quantity of a gain where lower is better is mirrored: there, too, the worst is what lies lowest.
    falls = not check.spec.rising
    low, top = (worst, best) if falls else (best, worst)
    steady = sides.spec.family != "label" and sides.candidate.clusters is None
    lower, upper = _outer(low, top, steady=steady)
    return WorstAndBest(worst, best, lower, upper)


def widened(sides: Sides, rows: Mask, found: Interval, high: bool) -> dict[str, Any]:
    """Return the bounds of a mean of which a share was not seen, as fields of a `Measurement`.

    What was seen keeps its interval, the rest may be at either end. `rows` are the cases that were seen; `high` says that a
    high score is bad for the check.
    """
    spec = sides.spec
    least, most = spec.lo, spec.hi
    if sides.baseline is not None:
        least, most = least - most, most - least
    unseen = 1.0 - int(rows.sum()) / sides.count
    models = [sides.candidate, *([] if sides.baseline is None else [sides.baseline])]
    partly = sum((1.0 - one.share_of(spec.column))[rows].sum() for one in models)
    partly *= (spec.hi - spec.lo) / sides.count

    def at(end: float, shift: float) -> Interval:
        def moved(value: float) -> float:
            return (1.0 - unseen) * value + unseen * end + shift

        return replace(
            found,
            lower=moved(found.lower),
            upper=moved(found.upper),
            estimate=moved(found.estimate),
        )

    low, top = at(least, -float(partly)), at(most, float(partly))
    worst, best = (top, low) if high else (low, top)
    return {"lower": low.lower, "upper": top.upper, "worst": worst, "best": best, "at_ends": True}


def _at_ends(sides: Sides, take: Take, *, high: bool) -> Interval | None:
    """The interval with the candidate's missing scores at one end and the baseline's at the other."""
    spec, asked = sides.spec, sides.asked
    ours = filled(spec, sides.candidate, asked, high=high)
    theirs = None if sides.baseline is None else filled(spec, sides.baseline, asked, high=not high)
    sides_there = [ours] if theirs is None else [ours, theirs]
    if not all(_has_a_mean(spec, side.results, asked) for side in sides_there):
        return None
    found = take(ours.results, None if theirs is None else theirs.results, asked)
    slack = sum(side.slack for side in sides_there)
    return _apart(found, slack, high=high) if slack else found


def _apart(found: Interval, slack: float, *, high: bool) -> Interval:
    return replace(
        found,
        lower=found.lower - slack,
        upper=found.upper + slack,
        estimate=found.estimate + (slack if high else -slack),
    )


def _has_a_mean(spec: MetricSpec, results: ModelResults, asked: Mask) -> bool:
    if spec.family in ("label", "quantile"):
        return True
    return bool(np.isfinite(results.columns[spec.column][asked]).all())


def _outer(low: Interval | None, top: Interval | None, *, steady: bool) -> tuple[float, float]:
    """The outer bounds of the interval that lies lower and the one that lies higher.

    Where the spread is estimated from clusters, or by the jackknife, a bound need not rise with every single score: filling
    in may happen to calm the spread. There the wider distance of both from its estimate is taken on either side.
    """
    lower = -math.inf if low is None else low.lower
    upper = math.inf if top is None else top.upper
    if steady or low is None or top is None:
        return lower, upper
    down = max(one.estimate - one.lower for one in (low, top))
    up = max(one.upper - one.estimate for one in (low, top))
    return min(lower, low.estimate - down), max(upper, top.estimate + up)
