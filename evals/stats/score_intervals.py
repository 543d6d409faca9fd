"""Intervals for scores in [0, 1], of one model or of two on the same cases: 0/1, graded, repeated, clustered.

All fail closed: empty columns, NaN, infinity and columns of different length raise ValueError
naming what is wrong. A single case (or a single cluster) says nothing, so its interval is the
whole range. Values arrive averaged over the repeats of a case, one number a case.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from evals.stats.bounded import bounded_score_bounds
from evals.stats.clusters import cluster_detail, cluster_freedom, design_effect
from evals.stats.interval import Interval
from evals.stats.paired_binary import tango_bounds
from evals.stats.proportions import clopper_pearson_bounds
from evals.stats.validation import (
    Clusters,
    Floats,
    cluster_codes,
    same_length,
    t_critical,
    tail,
    within,
)

__all__ = ["absolute_interval", "paired_interval"]


def absolute_interval(
    values: ArrayLike,
    *,
    confidence: float = 0.95,
    lo: float = 0.0,
    hi: float = 1.0,
    clusters: Clusters | None = None,
) -> Interval:
    """Mean of scores in [lo, hi], one a case: a pass rate, or an average grade.

    Clopper-Pearson when all values are at the ends and there are no clusters, otherwise the
    bounded score test; with clusters at counts divided by the design effect, and t with the degrees of freedom of
    `cluster_freedom`.

    Returns:
        an Interval; with clusters detail has ``design_effect`` and what `cluster_detail` gives.

    Raises:
        ValueError: for empty, non-finite or out-of-range values.
    """
    array = within(values, lo, hi, "values")
    if clusters is None and array.size > 1 and bool(((array == lo) | (array == hi)).all()):
        right = int(np.count_nonzero(array == hi))
        low, high = clopper_pearson_bounds(right, array.size, confidence=confidence)
        return Interval(
            lower=lo + (hi - lo) * float(low),
            upper=lo + (hi - lo) * float(high),
            estimate=lo + (hi - lo) * right / array.size,
            n=array.size,
            method="clopper-pearson",
            confidence=confidence,
        )
    return _bounded(array, confidence, lo, hi, clusters)


def paired_interval(
    candidate: ArrayLike,
    baseline: ArrayLike,
    *,
    confidence: float = 0.95,
    lo: float = 0.0,
    hi: float = 1.0,
    clusters: Clusters | None = None,
) -> Interval:
    """Mean of candidate - baseline over the same cases, for scores in [lo, hi].

    The bounded score test on [lo - hi, hi - lo]; for pass/fail scores that is Tango's, which
    has a closed form. With clusters as `absolute_interval`.

    Raises:
        ValueError: for empty, non-finite or out-of-range values, or unequal lengths.
    """
    new = within(candidate, lo, hi, "candidate")
    old = within(baseline, lo, hi, "baseline")
    same_length("candidate", new.size, "baseline", old.size)
    span, difference = hi - lo, new - old
    wins, losses = difference == span, difference == -span
    ties = difference == 0.0
    if clusters is not None or difference.size == 1 or not bool((wins | losses | ties).all()):
        return _bounded(difference, confidence, -span, span, clusters)
    won, lost = int(np.count_nonzero(wins)), int(np.count_nonzero(losses))
    low, high = tango_bounds(won, lost, difference.size, confidence=confidence)
    return Interval(
        lower=span * float(low),
        upper=span * float(high),
        estimate=span * (won - lost) / difference.size,
        n=difference.size,
        method="tango",
        confidence=confidence,
        detail={"wins": float(won), "losses": float(lost)},
    )


def _bounded(
    array: Floats, confidence: float, lo: float, hi: float, clusters: Clusters | None
) -> Interval:
    detail: dict[str, float] = {}
    effect, critical = 1.0, -float(special.ndtri(tail(confidence)))
    if clusters is not None:
        codes, _ = cluster_codes(clusters, array.size)
        effect = design_effect(array, codes)
        critical = t_critical(confidence, cluster_freedom(codes))
        detail = cluster_detail(codes) | {"design_effect": effect}
    if array.size == 1:
        critical = math.inf
    lower, upper = bounded_score_bounds(
        array, confidence=confidence, lo=lo, hi=hi, design_effect=effect, critical=critical
    )
    return Interval(
        lower=lower,
        upper=upper,
        estimate=min(upper, max(lower, float(array.mean()))),  # the mean rounds, too
        n=array.size,
        method="bounded-score" if clusters is None else "bounded-score-clusters",
        confidence=confidence,
        detail=detail,
    )
