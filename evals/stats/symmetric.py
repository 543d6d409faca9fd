"""The mean of differences that are as likely to be positive as negative, looked at whenever one likes: self-normalised bounds.

Where two passes over the same cases may be swapped without anybody noticing, the difference of their means is symmetric about
zero, whatever hangs together within it: cases, clusters, the day. Nothing else is assumed, no variance and no independence of
cases; a pair of passes is one observation. For symmetric x and any l, E exp(l x - l^2 x^2 / 2) <= 1 (de la Peña 1999); mixed
over l ~ N(0, 1 / rho) it gives bounds that hold at all times at once (de la Peña, Klass & Lai 2004; Ville 1939).

Standard library alone, so that a command that only looks starts fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["SymmetricMean", "symmetric_mean"]

_STEPS = 60
_GRID = 400


class SymmetricMean(NamedTuple):
    """A mean and its bounds, which span the whole range of values while there are too few differences for any."""

    mean: float
    lower: float
    upper: float


def symmetric_mean(
    differences: Sequence[float], *, rho: float, confidence: float = 0.95
) -> SymmetricMean:
    """Return the mean with an interval that holds at all times at once, with this confidence for both sides together.

    Args:
        differences: in [-1, 1], in the order of time; each symmetric about one and the same centre given those before.
        rho: where the interval is narrowest, as a sum of squared deviations; to be chosen before anything is seen.
        confidence: of the interval over all looks together.

    Raises:
        ValueError: for no differences, one that is not finite or out of range, or a parameter out of its range.
    """
    if not differences:
        raise ValueError("expected at least one difference")
    if not all(math.isfinite(one) and abs(one) <= 1.0 for one in differences):
        raise ValueError("expected differences in [-1, 1]")
    if not (rho > 0.0 and 0.0 < confidence < 1.0):
        raise ValueError("expected rho above 0 and a confidence in (0, 1)")
    n, mean = len(differences), math.fsum(differences) / len(differences)
    spread = math.fsum((one - mean) ** 2 for one in differences)

    def beyond(gap: float) -> bool:
        """Whether a centre so far from the mean is ruled out."""
        variance = spread + n * gap * gap
        bar = math.log((rho + variance) / rho) / 2 - math.log(1.0 - confidence)
        return (n * gap) ** 2 > 2.0 * (rho + variance) * bar

    reach = _reach(beyond, 2.0)
    return SymmetricMean(mean, lower=max(-1.0, mean - reach), upper=min(1.0, mean + reach))


def _reach(beyond: Callable[[float], bool], furthest: float) -> float:
    """The largest gap that is not ruled out: beyond it every one is. The whole range for a few early differences, which rule out none."""
    gaps = [furthest * (step / _GRID) ** 3 for step in range(_GRID + 1)]
    inside = max(step for step, gap in enumerate(gaps) if not beyond(gap))
    if inside == _GRID:
        return furthest
    low, high = gaps[inside], gaps[inside + 1]
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return high
