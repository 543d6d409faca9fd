"""The ratio of the means of two paired amounts, by Fieller's theorem."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from evals.stats.clusters import cluster_freedom, cr2_covariance, uneven_effect
from evals.stats.validation import Clusters, Floats, cluster_codes, paired, t_critical


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
        clusters: a label for each case: CR2 covariance, or that of single cases where it is larger, times the
            `uneven_effect` of the contrast at the observed ratio; t with `cluster_freedom`.

    Raises:
        ValueError: for negative, empty or non-finite amounts, a baseline of nothing but 0,
            or fewer than two cases or clusters.
    """
    new, old = paired(candidate, baseline)
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


def _covariance(columns: Floats, ratio: float, clusters: Clusters | None) -> tuple[Floats, float]:
    n = columns.shape[0]
    if n < 2:
        raise ValueError("a ratio of means needs at least two cases")
    plain: Floats = np.cov(columns, rowvar=False) / n
    if clusters is None:
        return plain, n - 1
    codes, _ = cluster_codes(clusters, n)
    robust = cr2_covariance(columns, codes)
    contrast = np.array([-1.0, ratio])
    alone, joint = (float(contrast @ one @ contrast) for one in (plain, robust))
    larger: Floats = robust if joint > alone else plain
    return larger * uneven_effect(columns @ contrast, codes), cluster_freedom(codes)
