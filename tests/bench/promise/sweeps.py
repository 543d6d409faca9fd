"""Several equally bad candidates of which one is promoted: tried by hand one after the other, or by one command."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from promise.cells import Cell, Setting
from promise.counts import MARGIN, Counts, table_of
from promise.models import first_model, sibling_counts, siblings
from promise.rows import Row, share
from promise.verdicts import DROP, looking_early

from evals.selection.halving import choose
from evals.stats.sequential import plan_looks

__all__ = ["CELLS", "one_chosen"]

GROUP = "candidates that are all worse by exactly the margin, one may be promoted"
N, CHUNK = 1142, 500
PART = math.ceil(0.25 * N)
"""How many cases choose, and never judge; a quarter, as `promotion.choose_on` has it."""


def _sweep(count: int, alike: float, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    by_hand, by_command, _ = one_chosen(rng, setting.binary, count, alike=alike)
    gate = setting.gate(DROP)
    tried = looking_early(gate, by_hand.reshape(-1, *by_hand.shape[2:])).passed
    kind = "half of their changes in common" if alike else "nothing in common"
    yield share(
        GROUP,
        f"{count} candidates, {kind}",
        looking_early(gate, by_command).passed,
        before=tried.reshape(-1, count).any(axis=1),
        bound=0.055,
    )


def one_chosen(
    rng: np.random.Generator, replicates: int, count: int, *, alike: float
) -> tuple[Counts, Counts, tuple[int, ...]]:
    """A field of candidates as one tries them by hand, and as the command judges the one it chose.

    Returns paths of all of them on the whole suite, shape (replicates, candidates, looks, 9), paths of the chosen one on the
    cases that did not choose, shape (replicates, looks, 9), and the sizes of the latter's looks.
    """
    whole, rest = plan_looks(N).sizes, plan_looks(N - PART).sizes
    ends = sorted({*whole, PART, *(PART + size for size in rest)})
    by_hand, by_command = [], []
    for start in range(0, replicates, CHUNK):
        seen, chosen = _field(rng, min(CHUNK, replicates - start), count, ends, alike)
        by_hand.append(seen[:, :, [ends.index(size) for size in whole]])
        winners = seen[np.arange(len(seen)), chosen]
        after = winners[:, [ends.index(PART + size) for size in rest]]
        by_command.append(after - winners[:, [ends.index(PART)]])
    return np.concatenate(by_hand), np.concatenate(by_command), rest


def _field(
    rng: np.random.Generator, replicates: int, count: int, ends: list[int], alike: float
) -> tuple[Counts, NDArray[np.int64]]:
    """Tables of all candidates up to each end, shape (replicates, candidates, ends, 9), and who was chosen.

    Which case is which matters to the choosing part alone.
    """
    live = first_model(rng, replicates, PART)
    ours = siblings(rng, live, count, -MARGIN, alike)
    seen = [
        table_of(ours[..., begin:end], live[:, None, begin:end])
        if end <= PART
        else sibling_counts(rng, replicates, count, end - begin, -MARGIN, alike)
        for begin, end in pairwise([0, *ends])
    ]
    return np.stack(seen, axis=2).cumsum(axis=2), _chosen(ours)


def _chosen(scores: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Who is chosen on the choosing part, as the command chooses; `scores` has shape (replicates, candidates, cases)."""
    found = [choose(field.astype(np.float64)).chosen for field in scores]
    return np.array([0 if place is None else place for place in found])


CELLS = [
    Cell(name=f"sweeps {count} {'alike' if alike else 'apart'}", rows=partial(_sweep, count, alike))
    for count in (5, 10, 20)
    for alike in (0.0, 0.5)
]
