"""Answers that are missing not at random: the candidate's losing cases time out, as many as the gate allows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from promise.cells import Cell, Setting
from promise.counts import MARGIN, lose, paths, tables
from promise.rows import Row, share
from promise.verdicts import DROP, at_fixed_n, looking_early

from evals.stats.sequential import plan_looks

__all__ = ["CELLS"]

GROUP = "worse by exactly the margin, and its losing cases stay without an answer"
N = 1142
BOUND = 0.055


def _fixed(min_scored: float, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    found = lose(tables(rng, setting.binary, N, -MARGIN), N, 1.0 - min_scored)
    yield _row(f"{1.0 - min_scored:.0%} lost, n={N}", found, min_scored, setting)


def _early(min_scored: float, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    sizes = plan_looks(N).sizes
    path = paths(rng, setting.binary, sizes, -MARGIN)
    found = lose(path, np.asarray(sizes), 1.0 - min_scored)
    yield _row(f"{1.0 - min_scored:.0%} lost, ten looks", found, min_scored, setting)


def _row(name: str, found: np.ndarray, min_scored: float, setting: Setting) -> Row:
    judged = at_fixed_n if found.ndim == 2 else looking_early
    now = judged(setting.gate(DROP, min_scored=min_scored), found)
    dropped = setting.gate(DROP, min_scored=min_scored, missing="at_random")
    few = found[:2000] if found.ndim == 3 else found  # many ways for looks to count their cases
    before = judged(dropped, few)
    return share(GROUP, name, now.passed, before=before.passed, bound=BOUND)


CELLS = [
    Cell(name=f"missing {kind} {share_}", rows=partial(part, share_))
    for share_ in (0.99, 0.98, 0.95)
    for kind, part in (("fixed", _fixed), ("looks", _early))
]
