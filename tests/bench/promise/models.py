"""Several models' pass/fail answers to the same cases, case by case where it matters which."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from promise.counts import BOTH, DIFFERING, LOST, WON, Counts

__all__ = ["first_model", "sibling_counts", "siblings", "successor"]

Bools = NDArray[np.bool_]
ACCURACY = 0.88


def first_model(
    rng: np.random.Generator, replicates: int, n: int, accuracy: float = ACCURACY
) -> Bools:
    """Answers of one model, shape (replicates, n)."""
    return _uniform(rng, (replicates, n)) < accuracy


def successor(
    rng: np.random.Generator, before: Bools, accuracy: NDArray[np.float64], difference: float
) -> Bools:
    """Answers of a model that differs from another by a known amount, and on a known share of the cases.

    `before` are the other's, shape (replicates, n), and `accuracy` its true rates, shape (replicates,).
    """
    return _changed(before, _uniform(rng, before.shape), accuracy[:, None], difference)


def siblings(
    rng: np.random.Generator, before: Bools, count: int, difference: float, alike: float
) -> Bools:
    """Answers of several fine-tunes of one model, shape (replicates, count, n).

    `alike` is the share of the cases on which all of them change, or keep, the answer together.
    """
    replicates, n = before.shape
    uniform = _uniform(rng, (replicates, count, n))
    if alike:
        together = _uniform(rng, (replicates, 1, n)) < alike
        uniform = np.where(together, uniform[:, :1], uniform)
    return _changed(before[:, None, :], uniform, np.full((1, 1, 1), ACCURACY), difference)


def sibling_counts(
    rng: np.random.Generator, replicates: int, count: int, n: int, difference: float, alike: float
) -> Counts:
    """Tables of what `siblings` would answer to n further cases, shape (replicates, count, 9)."""
    passed = rng.binomial(n, ACCURACY, size=(replicates, 1))
    lost = _changes(rng, passed, count, (DIFFERING - difference) / 2.0 / ACCURACY, alike)
    won = _changes(rng, n - passed, count, (DIFFERING + difference) / 2.0 / (1.0 - ACCURACY), alike)
    found = np.zeros((replicates, count, 9), dtype=np.int64)
    found[..., WON], found[..., LOST], found[..., BOTH] = won, lost, n - won - lost
    return found


def _changes(
    rng: np.random.Generator, cases: Counts, count: int, chance: float, alike: float
) -> Counts:
    """How many of some cases each sibling changes; shape (replicates, count)."""
    together = rng.binomial(cases, alike)
    own = np.broadcast_to(cases - together, (cases.shape[0], count))
    return rng.binomial(together, chance) + rng.binomial(own, chance)


def _changed(
    before: Bools, uniform: NDArray[np.float32], accuracy: NDArray[np.float64], difference: float
) -> Bools:
    differing = max(DIFFERING, abs(difference))
    lost = np.minimum((differing - difference) / 2.0 / accuracy, 1.0)
    won = np.minimum((differing + difference) / 2.0 / (1.0 - accuracy), 1.0)
    changes = uniform < np.where(before, lost, won)
    return before ^ changes


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return rng.random(shape, dtype=np.float32)
