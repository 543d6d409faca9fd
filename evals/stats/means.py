"""Means without known limits: Student's t, its paired form, and ratios by Fieller.

For scores with known limits use `bounded`: at n = 30 and rates near 1 a t-test promoted
wrongly up to 74 % of the time.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from evals.stats.clusters import cr2_covariance
from evals.stats.validation import Clusters, Floats, cluster_codes, finite, same_length, t_critical

Side = Literal["lower", "upper", "two"]


class TTest(NamedTuple):
    """A one-sample t-test with both one-sided bounds, in the units of the values."""

    mean: float
    sd: float
    se: float
    df: int
    t: float
    lower: float
    upper: float
    p_value: float


def mean_t(
    values: ArrayLike, *, confidence: float = 0.95, null_mean: float = 0.0, side: Side = "lower"
) -> TTest:
    """Student's one-sample t-test of the mean.

    Args:
        values: shape (n,), n >= 2.
        confidence: of each bound alone.
        null_mean: mean under the null.
        side: what `p_value` is evidence for: ``"lower"`` that the mean is above the null,
            ``"upper"`` that it is below, ``"two"`` that it differs.

    Raises:
        ValueError: for fewer than two values, or non-finite ones.
    """
    array = finite(values, "values")
    if array.size < 2:
        raise ValueError("a t-test needs at least two values")
    mean, df = float(array.mean()), array.size - 1
    sd = float(array.std(ddof=1))
    se = sd / math.sqrt(array.size)
    gap = mean - null_mean
    t = gap / se if se > 0.0 else math.copysign(math.inf, gap) if gap else 0.0
    half = t_critical(confidence, df) * se
    return TTest(mean, sd, se, df, t, mean - half, mean + half, _p_value(t, df, side))


def paired_mean_ni(
    candidate: ArrayLike, baseline: ArrayLike, *, margin: float, confidence: float = 0.95
) -> TTest:
    """t-test that the mean of candidate - baseline is above -margin, case by case.

    Raises:
        ValueError: for columns of different length; as `mean_t`.
    """
    new, old = _pair(candidate, baseline)
    return mean_t(new - old, confidence=confidence, null_mean=-margin)


def relative_mean_upper(
    candidate: ArrayLike, baseline: ArrayLike, *, max_ratio: float, confidence: float = 0.95
) -> TTest:
    """t-test that the mean of max_ratio * baseline - candidate is above 0 (Fieller 1954).

    That is "the candidate costs at most `max_ratio` times the baseline".

    Raises:
        ValueError: for columns of different length; as `mean_t`.
    """
    new, old = _pair(candidate, baseline)
    return mean_t(max_ratio * old - new, confidence=confidence)


def fieller_bounds(
    candidate: ArrayLike,
    baseline: ArrayLike,
    *,
    confidence: float = 0.95,
    clusters: Clusters | None = None,
) -> tuple[float, float]:
    """Bounds of mean(candidate) / mean(baseline) for paired amounts >= 0 (Fieller 1954).

    They are where the t-test on R * baseline - candidate changes its mind. When the mean of
    the baseline can't be told from 0 the upper bound is infinite.

    Args:
        candidate: shape (n,), n >= 2, >= 0.
        baseline: shape (n,), >= 0, not all 0.
        confidence: of each bound alone.
        clusters: a label for each case: CR2 covariance and t(G - 1), unless ignoring the
            clusters gives the larger variance.

    Raises:
        ValueError: for negative, empty or non-finite amounts, a baseline of nothing but 0,
            or fewer than two cases or clusters.
    """
    new, old = _pair(candidate, baseline)
    if min(new.min(), old.min()) < 0.0:
        raise ValueError("a ratio of means needs amounts that aren't negative")
    x, y = float(new.mean()), float(old.mean())
    if y == 0.0:
        raise ValueError("baseline is 0 everywhere: a ratio to it is undefined")
    covariance, df = _covariance(np.column_stack([new, old]), x / y, clusters)
    critical = t_critical(confidence, df) ** 2
    a = y * y - critical * float(covariance[1, 1])
    b = x * y - critical * float(covariance[0, 1])
    c = x * x - critical * float(covariance[0, 0])
    return _ratio_roots(a, b, c, x / y)


def _ratio_roots(a: float, b: float, c: float, ratio: float) -> tuple[float, float]:
    """Ends of {R >= 0: a R^2 - 2 b R + c <= 0} around the observed ratio."""
    root = math.sqrt(max(b * b - a * c, 0.0))
    upper = (b + root) / a if a > 0.0 else math.inf
    # c / (b + root) is the lower root whatever the sign of a, and doesn't cancel.
    lower = c / (b + root) if c > 0.0 and b + root > 0.0 else 0.0
    return min(lower, ratio), max(upper, ratio)


def _covariance(columns: Floats, ratio: float, clusters: Clusters | None) -> tuple[Floats, int]:
    n = columns.shape[0]
    if n < 2:
        raise ValueError("a ratio of means needs at least two cases")
    plain: Floats = np.cov(columns, rowvar=False) / n
    if clusters is None:
        return plain, n - 1
    robust = cr2_covariance(columns, clusters)
    contrast = np.array([-1.0, ratio])
    larger = robust if contrast @ robust @ contrast > contrast @ plain @ contrast else plain
    return larger, cluster_codes(clusters, n)[1] - 1


def _pair(candidate: ArrayLike, baseline: ArrayLike) -> tuple[Floats, Floats]:
    new, old = finite(candidate, "candidate"), finite(baseline, "baseline")
    same_length("candidate", new.size, "baseline", old.size)
    return new, old


def _p_value(t: float, df: int, side: Side) -> float:
    if side == "two":
        return min(1.0, 2.0 * float(special.stdtr(df, -abs(t))))
    return float(special.stdtr(df, -t if side == "lower" else t))
