"""Intervals for amounts without an upper limit: cost, tokens, latency; means and quantiles.

They fail closed as the others do. A single case says nothing: its bounds are infinite (0 below
for amounts that can't be negative). For scores with known limits use `bounded`: at n = 30 and rates near 1 a t interval
promoted wrongly up to 74 % of the time.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from evals.stats.clusters import cluster_detail, cluster_freedom, design_effect
from evals.stats.interval import Interval
from evals.stats.quantiles import quantile_bounds, quantile_of, quantile_ratio_replicates
from evals.stats.ratios import fieller_bounds
from evals.stats.validation import (
    Clusters,
    amounts,
    cluster_codes,
    finite,
    paired,
    t_critical,
    tail,
)


def mean_interval(
    values: ArrayLike, *, confidence: float = 0.95, clusters: Clusters | None = None
) -> Interval:
    """Mean of values without known limits (cost, latency), by Student's t; times the design effect with clusters.

    Where all values are equal its width is 0 and detail has the flag ``no_variance``.

    Raises:
        ValueError: for empty or non-finite values.
    """
    array = finite(values, "values")
    detail: dict[str, float] = {}
    tail(confidence)
    df, se = float(array.size - 1), math.inf
    if array.size > 1:
        se = float(array.std(ddof=1)) / math.sqrt(array.size)
    if clusters is not None:
        codes, groups = cluster_codes(clusters, array.size)
        detail |= cluster_detail(codes)
        df = cluster_freedom(codes)
        se = se * math.sqrt(design_effect(array, codes)) if groups > 1 else math.inf
    mean = float(array.mean())
    half = t_critical(confidence, df) * se if df > 0 else math.inf
    if df > 0:
        detail |= {"se": se, "df": df, "no_variance": float(np.ptp(array) == 0.0)}
    return Interval(
        lower=mean - half,
        upper=mean + half,
        estimate=mean,
        n=array.size,
        method="t" if clusters is None else "t-cr2",
        confidence=confidence,
        detail=detail,
    )


def relative_mean_interval(
    candidate: ArrayLike,
    baseline: ArrayLike,
    *,
    confidence: float = 0.95,
    clusters: Clusters | None = None,
) -> Interval:
    """Ratio mean(candidate) / mean(baseline) of paired amounts >= 0, by Fieller's theorem.

    The upper bound is infinite when the baseline's mean can't be told from 0. Where the same
    ratio holds in every case the width is 0 and detail has the flag ``no_variance``.

    Raises:
        ValueError: for negative, empty or non-finite amounts, unequal lengths, or a baseline
            that is 0 everywhere.
    """
    new, old = paired(candidate, baseline)
    if min(new.min(), old.min()) < 0.0:
        raise ValueError("a ratio of means needs amounts that aren't negative")
    if not old.any():
        raise ValueError("baseline is 0 everywhere: a ratio to it is undefined")
    detail, groups = {}, new.size
    if clusters is not None:
        codes, groups = cluster_codes(clusters, new.size)
        detail = cluster_detail(codes)
    lower, upper = 0.0, math.inf
    if groups > 1:
        lower, upper = fieller_bounds(new, old, confidence=confidence, clusters=clusters)
        detail["no_variance"] = float(lower == upper)
    return Interval(
        lower=lower,
        upper=upper,
        estimate=float(new.mean() / old.mean()),
        n=new.size,
        method="fieller" if clusters is None else "fieller-cr2",
        confidence=confidence,
        detail=detail,
    )


def quantile_interval(
    values: ArrayLike, *, q: float = 0.95, confidence: float = 0.95, floor: float = 0.0
) -> Interval:
    """Quantile `q` of values >= floor, by order statistics: exact for any distribution.

    Too few cases for a bound (n < 59 for the p95) give an infinite upper bound. Values may be infinite.

    Raises:
        ValueError: for empty values, NaN, values below the floor, or q out of range.
    """
    array = amounts(values, "values")
    lower, upper = quantile_bounds(array, q, confidence=confidence, floor=floor)
    return Interval(
        lower=lower,
        upper=upper,
        estimate=quantile_of(array, q, "linear"),
        n=array.size,
        method="order-statistic",
        confidence=confidence,
        detail={"q": q},
    )


def quantile_ratio_interval(
    candidate: ArrayLike,
    baseline: ArrayLike,
    *,
    rng: np.random.Generator,
    q: float = 0.95,
    confidence: float = 0.95,
    draws: int = 2000,
) -> Interval:
    """Ratio of two paired quantiles of positive amounts, by the percentile bootstrap.

    Meant for n >= 200 pairs. The same seed of `rng` gives the same bounds.

    Raises:
        ValueError: for amounts that aren't positive, or unequal lengths.
    """
    new, old = amounts(candidate, "candidate"), amounts(baseline, "baseline")
    ratios = quantile_ratio_replicates(new, old, q, rng=rng, draws=draws)
    lower, upper = 0.0, math.inf
    if new.size > 1:
        alpha = tail(confidence)
        lower = quantile_of(ratios, alpha, "lower")
        upper = quantile_of(ratios, 1.0 - alpha, "higher")
    with np.errstate(over="ignore"):
        ratio = quantile_of(new, q, "linear") / np.float64(quantile_of(old, q, "linear"))
    return Interval(
        lower=lower,
        upper=upper,
        estimate=float(ratio),
        n=new.size,
        method="percentile-bootstrap",
        confidence=confidence,
        detail={"q": q, "draws": float(draws)},
    )
