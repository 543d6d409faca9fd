"""Bounds for one pass rate (0/1 scores).

All are one-sided: `confidence` holds for each bound alone. A central 95 % interval is asked
for with confidence 0.975.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

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
