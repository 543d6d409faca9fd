"""Pairs of pass/fail answers, drawn as counts: nothing else of them matters to a gate.

A table of pairs is an array of shape (..., 9): how many cases there are of each pair of states, at 3 * candidate + baseline,
where a state is 0 for failed, 1 for passed and 2 for no answer. Paths have one table for each look, counted from the start.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BOTH",
    "DIFFERING",
    "GONE",
    "LOST",
    "MARGIN",
    "NEITHER",
    "WON",
    "Counts",
    "lose",
    "lose_by_lot",
    "paths",
    "shuffled",
    "table_of",
    "tables",
]

Counts = NDArray[np.int64]

MARGIN, DIFFERING = 0.03, 0.12
NEITHER, LOST, WON, BOTH, GONE = 0, 1, 3, 4, 7
"""Places in a table: both failed, the baseline alone passed, the candidate alone, both; and the candidate did not answer
where the baseline passed.
"""


def tables(
    rng: np.random.Generator,
    replicates: int,
    n: int,
    difference: float,
    differing: float = DIFFERING,
) -> Counts:
    """Samples of n cases of two models that differ on a share of them, shape (replicates, 9)."""
    chances = _chances(difference, differing)
    return _tables(rng.multinomial(n, chances, size=replicates), n)


def paths(
    rng: np.random.Generator,
    replicates: int,
    sizes: tuple[int, ...],
    difference: float,
    differing: float = DIFFERING,
) -> Counts:
    """The same in rounds that end at these sizes, shape (replicates, looks, 9)."""
    steps = np.diff(sizes, prepend=0)
    chances = _chances(difference, differing)
    seen = np.stack([rng.multinomial(step, chances, size=replicates) for step in steps], axis=1)
    return _tables(seen.cumsum(axis=1), np.asarray(sizes))


def shuffled(rng: np.random.Generator, whole: Counts, sizes: tuple[int, ...]) -> Counts:
    """Paths of the very same answers, asked in another order; `whole` has shape (replicates, 9)."""
    left = whole.copy()
    seen = np.zeros_like(whole)
    found = []
    for step in np.diff(sizes, prepend=0):
        seen = seen + _drawn(rng, left, int(step))
        left = whole - seen
        found.append(seen)
    return np.stack(found, axis=1)


def lose(path: Counts, asked: NDArray[np.int64] | int, share: float) -> Counts:
    """The same, with the candidate's losing cases unanswered: as many as a gate allows that wants `1 - share` scored."""
    allowed = np.floor(share * np.asarray(asked) + 1e-9).astype(np.int64)
    gone = np.minimum(path[..., LOST], allowed)
    found = path.copy()
    found[..., LOST] -= gone
    found[..., GONE] += gone
    return found


def lose_by_lot(rng: np.random.Generator, found: Counts, share: float) -> Counts:
    """Samples of fixed size, with each of the candidate's answers lost by the same chance."""
    kept = found.copy()
    for state, gone in ((WON, GONE - 1), (LOST, GONE), (BOTH, GONE)):
        lost = rng.binomial(found[..., state], share)
        kept[..., state] -= lost
        kept[..., gone] += lost
    return kept


def table_of(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> Counts:
    """Tables of answers without gaps, shape (replicates, cases) each; one of them may have one row for all."""
    n = ours.shape[-1]
    won = (ours & ~theirs).sum(axis=-1)
    lost = (~ours & theirs).sum(axis=-1)
    return _tables(np.stack([won, lost], axis=-1), n)


def _chances(difference: float, differing: float) -> list[float]:
    won, lost = (differing + difference) / 2.0, (differing - difference) / 2.0
    return [won, lost, 1.0 - won - lost]


def _tables(seen: NDArray[np.int64], n: NDArray[np.int64] | int) -> Counts:
    # Whether equal answers both passed or both failed changes no difference; in these tables they passed.
    found = np.zeros((*seen.shape[:-1], 9), dtype=np.int64)
    found[..., WON], found[..., LOST] = seen[..., 0], seen[..., 1]
    found[..., BOTH] = n - seen[..., 0] - seen[..., 1]
    return found


def _drawn(rng: np.random.Generator, left: Counts, step: int) -> Counts:
    """Draw a round without putting back: one state after the other."""
    taken = np.zeros_like(left)
    rest, wanted = left.sum(axis=-1), np.full(left.shape[0], step)
    for state in np.flatnonzero(left.any(axis=0)):
        rest = rest - left[:, state]
        taken[:, state] = rng.hypergeometric(left[:, state], rest, wanted)
        wanted = wanted - taken[:, state]
    return taken
