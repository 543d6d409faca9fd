"""Bounds for quantiles such as the p95 latency, and for the ratio of two of them."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from evals.stats.validation import Floats, Ints, amounts, same_length, tail

# How far from the quantile, in standard deviations of its rank, a resample may plausibly land.
_REACH = 8.0
# Draws held at once, each with a count for every pair near a quantile: 7,000 of them among a million.
_AT_ONCE = 200


def quantile_upper_rank(n: int, q: float, *, confidence: float = 0.95) -> int | None:
    """Rank k, from 1, whose order statistic is an upper bound of quantile `q`.

    The smallest k with P(Bin(n, q) <= k - 1) >= confidence; None when n is too small for any
    (n < 59 for the p95 at 0.95). Distribution-free: Conover 1999, section 3.2.

    Raises:
        ValueError: unless n >= 1 and 0 < q < 1.
    """
    _check(n, q)
    rank = _binomial_quantile(1.0 - tail(confidence), n, q) + 1
    return rank if rank <= n else None


def quantile_lower_rank(n: int, q: float, *, confidence: float = 0.95) -> int | None:
    """Rank k, from 1, whose order statistic is a lower bound of quantile `q`, or None.

    The largest k with P(Bin(n, q) <= k - 1) <= 1 - confidence. Errors as the upper one.
    """
    _check(n, q)
    rank = n - _binomial_quantile(1.0 - tail(confidence), n, 1.0 - q)
    return rank if rank >= 1 else None


def quantile_bounds(
    values: ArrayLike, q: float, *, confidence: float = 0.95, floor: float = 0.0
) -> tuple[float, float]:
    """Order-statistic bounds of quantile `q`: exact for any distribution.

    Args:
        values: shape (n,), at least `floor` each; may be infinite, as a bound is then, too.
        q: which quantile, in (0, 1).
        confidence: of each bound alone.
        floor: smallest possible value, the lower bound when n is too small for one. The
            upper bound is then infinite.

    Raises:
        ValueError: for empty values, NaN, values below the floor, or q out of range.
    """
    ordered = np.sort(amounts(values, "values"))
    if ordered[0] < floor:
        raise ValueError(f"values holds {ordered[0]}, below {floor}")
    low = quantile_lower_rank(ordered.size, q, confidence=confidence)
    high = quantile_upper_rank(ordered.size, q, confidence=confidence)
    lower = floor if low is None else float(ordered[low - 1])
    return lower, math.inf if high is None else float(ordered[high - 1])


def quantile_ratio_replicates(
    candidate: ArrayLike,
    baseline: ArrayLike,
    q: float,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
) -> Floats:
    """Bootstrap replicates of quantile(candidate) / quantile(baseline), pairs kept together.

    Resampling pairs is drawing how often each pair appears. Only pairs with a value near
    either quantile decide where it lands; all others are drawn as four totals, so that
    100,000 pairs cost little more than 1,000. Source: Efron & Tibshirani 1993, chapter 13.

    Args:
        candidate: shape (n,), > 0; may be infinite.
        baseline: shape (n,), > 0; may be infinite where the candidate is not.
        q: which quantile, in (0, 1).
        rng: source of randomness; the same seed gives the same bounds.
        draws: number of replicates.

    Returns:
        shape (draws,).

    Raises:
        ValueError: for columns of different length, or amounts that aren't positive.
    """
    new, old = amounts(candidate, "candidate"), amounts(baseline, "baseline")
    same_length("candidate", new.size, "baseline", old.size)
    _check(new.size, q)
    if min(new.min(), old.min()) <= 0.0:
        raise ValueError("a ratio of quantiles needs positive amounts")
    by_value = np.lexsort((old, new))  # where values are tied, the order of the cases would matter
    new, old = new[by_value], old[by_value]
    first, second = _Near(new, q), _Near(old, q)
    # One number for each pair of cells sorts twenty times as fast as the pair itself.
    width = int(second.cell.max()) + 1
    keys, times = np.unique(first.cell * width + second.cell, return_counts=True)
    cells = np.stack([keys // width, keys % width])
    shares = times / new.size
    found = []
    for start in range(0, draws, _AT_ONCE):
        counts = rng.multinomial(new.size, shares, size=min(_AT_ONCE, draws - start))
        with np.errstate(over="ignore"):
            found.append(first.resampled(counts, cells[0]) / second.resampled(counts, cells[1]))
    return np.concatenate(found)


def quantile_of(values: Floats, q: float, method: Literal["linear", "lower", "higher"]) -> float:
    """Return a quantile of values that may be infinite: nothing lies between those and the others."""
    if np.isfinite(values).all():
        method = "linear"
    elif method == "linear":
        method = "higher"
    return float(np.quantile(values, q, method=method))


class _Near:
    """One column cut at a window around its quantile; cell 0 is below, the last one above."""

    def __init__(self, values: Floats, q: float) -> None:
        n = values.size
        self.target = math.ceil(q * n)
        reach = math.ceil(_REACH * math.sqrt(n * q * (1.0 - q))) + 1
        start, stop = max(0, self.target - 1 - reach), min(n, self.target + reach)
        order = np.argsort(values, kind="stable")
        self.cell = np.zeros(n, dtype=np.int64)
        self.cell[order[start:stop]] = np.arange(1, stop - start + 1)
        self.cell[order[stop:]] = stop - start + 1
        self.window = values[order[start:stop]]

    def resampled(self, counts: Ints, cell: Ints) -> Floats:
        """Quantile of each row of counts: where the running total reaches q * n."""
        order = np.argsort(cell, kind="stable")
        running = np.cumsum(counts[:, order], axis=1)
        reached = np.argmax(running >= self.target, axis=1)
        landed: Floats = self.window[np.clip(cell[order][reached] - 1, 0, self.window.size - 1)]
        return landed


def _binomial_quantile(share: float, n: int, q: float) -> int:
    """Smallest k with P(Bin(n, q) <= k) >= share."""
    k = int(np.clip(np.ceil(special.bdtrik(share, n, q)), 0, n))
    while k > 0 and float(special.bdtr(k - 1, n, q)) >= share:
        k -= 1
    while k < n and float(special.bdtr(k, n, q)) < share:
        k += 1
    return k


def _check(n: int, q: float) -> None:
    if n < 1:
        raise ValueError("a quantile of nothing is undefined: n must be at least 1")
    if not 0.0 < q < 1.0:
        raise ValueError(f"q must be in (0, 1), got {q}")
