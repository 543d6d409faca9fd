"""Candidate against baseline on the same cases with pass/fail scores.

With W cases only the candidate passed, L only the baseline, and n pairs in all, the difference
of the pass rates is (W - L) / n. Differences are candidate minus baseline, larger is better.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from evals.stats.validation import Floats, normal_critical


class McNemar(NamedTuple):
    """Exact p-values of the discordant pairs: for display beside the decision."""

    p_exact: float
    p_midp: float
    p_worse_exact: float


def tango_bounds(
    wins: ArrayLike,
    losses: ArrayLike,
    n: ArrayLike,
    *,
    confidence: float = 0.95,
    critical: ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Tango's (1998) score bounds of the difference of two paired pass rates, closed form.

    Inverting the score test leaves, for r = z^2 / n, discordant share psi and difference d,
    the depressed cubic r w^3 - (r + psi - d^2) w + d (1 - psi) = 0; with its largest root w
    the lower bound is d - (d + w) r / (1 + r). (This is the offset of `bounded`, w = 1 + e.)

    Args:
        wins: pairs only the candidate passed; broadcasts with the others.
        losses: pairs only the baseline passed.
        n: all pairs, >= 1.
        confidence: of each bound alone.
        critical: positive quantiles to use instead of z(confidence); broadcasts too. Where
            infinite (a look that can't decide) the bounds are -1 and 1.

    Raises:
        ValueError: for counts that can't be.
    """
    w, lost, size = _pairs(wins, losses, n)
    quantile = normal_critical(confidence) if critical is None else critical
    # The square of 1e100 bounds nothing any more, but still can be computed with.
    ratio = np.square(np.minimum(np.asarray(quantile, dtype=np.float64), 1e100)) / size
    lower = _tango_lower(w / size, lost / size, ratio)
    return lower, -_tango_lower(lost / size, w / size, ratio)


def tango_z(wins: ArrayLike, losses: ArrayLike, n: ArrayLike, null: ArrayLike) -> Floats:
    """Tango's (1998) score statistic for "the difference is `null`", positive when above.

    Args:
        wins: pairs only the candidate passed; all four broadcast.
        losses: pairs only the baseline passed.
        n: all pairs, >= 1.
        null: difference under the null, in [-1, 1]; -margin for non-inferiority. With 0 it
            is McNemar's statistic without correction.

    Raises:
        ValueError: for counts that can't be.
    """
    w, lost, size = _pairs(wins, losses, n)
    d = np.asarray(null, dtype=np.float64)
    b = -w - lost + (2.0 * size - w + lost) * d
    root = np.sqrt(np.maximum(b * b + 8.0 * size * lost * d * (1.0 - d), 0.0))
    q = (root - b) / (4.0 * size)
    variance = size * np.maximum(2.0 * q + d * (1.0 - d), 0.0)
    gap = w - lost - size * d
    with np.errstate(divide="ignore", invalid="ignore"):
        z = gap / np.sqrt(variance)
    return np.where(gap == 0.0, 0.0, z)


def mcnemar(wins: int, losses: int) -> McNemar:
    """McNemar's exact test of the discordant pairs, its mid-p and "candidate worse" forms.

    All are 1 with no discordant pair. Source: Fagerland, Lydersen & Laake 2013.

    Raises:
        ValueError: for negative counts.
    """
    if wins < 0 or losses < 0:
        raise ValueError("counts of pairs must not be negative")
    n = wins + losses
    if n == 0:
        return McNemar(1.0, 1.0, 1.0)
    smaller = min(wins, losses)
    at_most = float(special.bdtr(smaller, n, 0.5))
    exactly = at_most - (float(special.bdtr(smaller - 1, n, 0.5)) if smaller else 0.0)
    midp = 1.0 - exactly / 2.0 if wins == losses else 2.0 * at_most - exactly
    worse = float(special.bdtrc(losses - 1, n, 0.5)) if losses else 1.0
    return McNemar(min(1.0, 2.0 * at_most), midp, worse)


def _tango_lower(won: Floats, lost: Floats, ratio: Floats) -> Floats:
    d = won - lost
    discordant = won + lost
    scale = np.sqrt((ratio + np.maximum(discordant - d * d, 0.0)) / (3.0 * ratio))
    cosine = -d * (1.0 - discordant) / (2.0 * ratio * scale**3)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    largest = np.maximum(2.0 * scale * np.cos(angle / 3.0), 1.0)
    bound: Floats = np.clip(d - (d + largest) * ratio / (1.0 + ratio), -1.0, d)
    return bound


def _pairs(wins: ArrayLike, losses: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats, Floats]:
    w, lost, size = np.broadcast_arrays(
        np.asarray(wins, dtype=np.float64),
        np.asarray(losses, dtype=np.float64),
        np.asarray(n, dtype=np.float64),
    )
    if not (np.isfinite(w).all() and np.isfinite(lost).all() and np.isfinite(size).all()):
        raise ValueError("counts of pairs must be finite")
    if (size < 1.0).any():
        raise ValueError("n must be at least 1: no pair was scored")
    if (w < 0.0).any() or (lost < 0.0).any() or (w + lost > size).any():
        raise ValueError("wins and losses must not be negative nor exceed n together")
    return w, lost, size
