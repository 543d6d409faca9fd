"""Seeded draws for stats_bench: pairs of models whose true difference is known exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Floats: TypeAlias = NDArray[np.float64]
Pair: TypeAlias = tuple[Floats, Floats]

RATES = (0.6, 0.8, 0.9, 0.95, 0.98)
CORRELATIONS = (0.3, 0.6, 0.8)
MARGINS = (0.01, 0.02, 0.03, 0.05)


def discordance(rate: float, drop: float, correlation: float) -> float:
    """Share of cases two pass/fail models differ on: the baseline passes `rate`, the candidate
    `rate - drop`, and the latent difficulty of a case correlates as given."""
    cuts = [float(special.ndtri(rate)), float(special.ndtri(rate - drop))]
    normal = stats.multivariate_normal(cov=[[1.0, correlation], [correlation, 1.0]])
    both = float(normal.cdf(cuts))
    return rate + (rate - drop) - 2.0 * both


def settings() -> Iterator[tuple[float, float]]:
    """Discordance and margin of every cell of the grid."""
    for rate in RATES:
        for correlation in CORRELATIONS:
            for margin in MARGINS:
                if rate - margin > 0.0:
                    yield discordance(rate, margin, correlation), margin


def binary(rng: np.random.Generator, n: int, differing: float, difference: float) -> Pair:
    """Pass/fail pairs that differ on a share of cases, candidate - baseline as given."""
    draw = rng.random(n)
    won = draw < (differing + difference) / 2.0
    lost = ~won & (draw < differing)
    # Where they agree both pass; it makes no difference to any paired rule.
    return np.where(lost, 0.0, 1.0), np.where(won, 0.0, 1.0)


def _from_table(values: list[float], chances: list[float]) -> Callable[..., Floats]:
    def draw(rng: np.random.Generator, n: int) -> Floats:
        return rng.choice(values, size=n, p=chances)

    return draw


def _repeats(rng: np.random.Generator, n: int) -> Floats:
    """Three repeats a case of models that pass at random: the mean difference is -0.05."""
    rate = rng.beta(4.0, 1.0, size=n)
    new = rng.binomial(3, rate * 0.9375) / 3.0
    return new - rng.binomial(3, rate) / 3.0


def _continuous(rng: np.random.Generator, n: int) -> Floats:
    """Grades that move a little on every case: Beta differences around -0.05."""
    return rng.beta(9.0, 9.0 * 1.05 / 0.95, size=n) * 2.0 - 1.0


# Differences of graded scores; the mean of each is exactly -0.05.
SHAPES: dict[str, Callable[..., Floats]] = {
    "mostly ties": _from_table([-0.5, 0.0, 0.5], [0.15, 0.80, 0.05]),
    "few large drops": _from_table([-1.0, 0.0], [0.05, 0.95]),
    "five grades": _from_table([-0.5, -0.25, 0.0, 0.25, 0.5], [0.08, 0.26, 0.48, 0.14, 0.04]),
    "many small drops": _from_table([-0.1, 0.0], [0.5, 0.5]),
    "rare large gains": _from_table([-0.1, 0.9], [0.95, 0.05]),
    "three repeats": _repeats,
    "continuous": _continuous,
}


def pair(difference: Floats) -> Pair:
    """Scores in [0, 1] with these differences."""
    return np.maximum(difference, 0.0), np.maximum(-difference, 0.0)


def clustered(
    rng: np.random.Generator, groups: int, size: int, drop: float, icc: float = 0.3
) -> tuple[Floats, NDArray[np.int64]]:
    """Differences in -1/0/1 with mean -drop, correlated within clusters of unequal size."""
    clusters = np.repeat(np.arange(groups), rng.integers(1, 2 * size, size=groups))
    shared = rng.normal(size=groups)[clusters] * math.sqrt(icc)
    latent = shared + rng.normal(size=clusters.size) * math.sqrt(1.0 - icc)
    uniform = special.ndtr(latent)
    return np.where(uniform < 0.08 + drop, -1.0, np.where(uniform > 0.92, 1.0, 0.0)), clusters


def classified(rng: np.random.Generator, n: int, right: float) -> NDArray[np.int64]:
    """Truth and answers, shape (2, n), of a classifier over five unequal labels."""
    truth = rng.choice(5, size=n, p=[0.4, 0.25, 0.15, 0.12, 0.08])
    wrong = (truth + rng.integers(1, 5, size=n)) % 5
    return np.stack([truth, np.where(rng.random(n) < right, truth, wrong)])
