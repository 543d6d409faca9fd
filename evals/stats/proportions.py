"""Bounds for one pass rate (0/1 scores), and for two that no pairing joins.

All are one-sided: `confidence` holds for each bound alone. A central 95 % interval is asked
for with confidence 0.975.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from evals.stats.validation import Floats, normal_critical, tail


def wilson_bounds(
    successes: ArrayLike, n: ArrayLike, *, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Wilson's (1927) score bounds of a proportion: for display, not for the decision.

    Args:
        successes: counts, any shape that broadcasts with `n`.
        n: numbers of cases, >= 1.
        confidence: of each bound alone.

    Raises:
        ValueError: for counts that aren't 0 <= successes <= n with n >= 1.
    """
    x, size = _counts(successes, n)
    ratio = normal_critical(confidence) ** 2 / size
    share = x / size
    centre = share + ratio / 2.0
    half = np.sqrt(ratio * (share * (1.0 - share) + ratio / 4.0))
    lower = np.where(x == 0.0, 0.0, (centre - half) / (1.0 + ratio))
    upper = np.where(x == size, 1.0, (centre + half) / (1.0 + ratio))
    return np.clip(lower, 0.0, 1.0), np.clip(upper, 0.0, 1.0)


def clopper_pearson_bounds(
    successes: ArrayLike, n: ArrayLike, *, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Clopper and Pearson's (1934) exact bounds of a proportion, by beta quantiles.

    The probability that a bound is on the wrong side is never above 1 - confidence.
    Arguments and errors as `wilson_bounds`.
    """
    x, size = _counts(successes, n)
    alpha = tail(confidence)
    lower = special.betaincinv(np.maximum(x, 0.5), size - x + 1.0, alpha)
    upper = special.betainccinv(x + 1.0, np.maximum(size - x, 0.5), alpha)
    return (
        np.where(x == 0.0, 0.0, np.asarray(lower, dtype=np.float64)),
        np.where(x == size, 1.0, np.asarray(upper, dtype=np.float64)),
    )


def newcombe_unpaired_bounds(
    x1: int, n1: int, x2: int, n2: int, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Bounds of x1/n1 - x2/n2 for independent samples (Newcombe 1998b, method 10).

    Wilson's intervals of both, squared and added. Errors as `wilson_bounds`.
    """
    lower, upper = wilson_bounds([x1, x2], [n1, n2], confidence=confidence)
    p1, p2 = x1 / n1, x2 / n2
    below = math.hypot(p1 - lower[0], upper[1] - p2)
    above = math.hypot(upper[0] - p1, p2 - lower[1])
    return p1 - p2 - below, p1 - p2 + above


def miettinen_nurminen_bounds(
    x1: int, n1: int, x2: int, n2: int, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Score bounds of x1/n1 - x2/n2 for independent samples (Miettinen & Nurminen 1985).

    Errors as `wilson_bounds`.
    """
    _counts([x1, x2], [n1, n2])
    quantile = normal_critical(confidence)
    lower = _score_limit(x1, n1, x2, n2, quantile)
    upper = -_score_limit(x2, n2, x1, n1, quantile)
    return lower, upper


def _score_limit(x1: int, n1: int, x2: int, n2: int, quantile: float) -> float:
    observed = x1 / n1 - x2 / n2
    correction = math.sqrt((n1 + n2) / (n1 + n2 - 1.0))

    def excess(difference: float) -> float:
        p1, p2 = _restricted(x1, n1, x2, n2, difference)
        variance = p1 * (1.0 - p1) / n1 + p2 * (1.0 - p2) / n2
        return observed - difference - quantile * correction * math.sqrt(max(variance, 0.0))

    if excess(-1.0) <= 0.0:
        return -1.0
    # At an observed difference of 1 its variance is 0, which makes it a second root.
    top = observed - 1e-9
    return float(optimize.brentq(excess, -1.0, top, xtol=1e-12)) if excess(top) < 0.0 else top


def _restricted(x1: int, n1: int, x2: int, n2: int, difference: float) -> tuple[float, float]:
    """Most likely pair of proportions that differ by `difference`."""

    def slope(p: float) -> float:
        """The likelihood's, times both variances; it falls from + to - between the limits."""
        q = p + difference
        return (x1 - n1 * q) * p * (1.0 - p) + (x2 - n2 * p) * q * (1.0 - q)

    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    edge = 1e-12 * (high - low)
    if slope(low + edge) <= 0.0:
        p2 = low
    elif slope(high - edge) >= 0.0:
        p2 = high
    else:
        p2 = float(optimize.brentq(slope, low + edge, high - edge, xtol=1e-14))
    return min(1.0, max(0.0, p2 + difference)), p2


def _counts(successes: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    x, size = np.broadcast_arrays(
        np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    )
    if not (np.isfinite(x).all() and np.isfinite(size).all()):
        raise ValueError("successes and n must be finite")
    if (size < 1.0).any():
        raise ValueError("n must be at least 1: no case was scored")
    if (x < 0.0).any() or (x > size).any():
        raise ValueError("successes must lie between 0 and n")
    return x, size
