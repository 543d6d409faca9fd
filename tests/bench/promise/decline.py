"""Slow decline: twenty candidates in a row, each a little worse than what is live then, and each within the margin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from promise.cells import Cell, Setting
from promise.counts import MARGIN, Counts, table_of, tables
from promise.models import ACCURACY, first_model, successor
from promise.rows import Row, share
from promise.verdicts import DROP, evidence_of

from evals.gate.anchor import Anchor, anchor_checks
from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.selftest.simulated_models import Pair, simulated_evidence

__all__ = ["CELLS"]

GROUP = "20 candidates in a row, each worse than what is live: live ends more than a margin below the first"
N, CANDIDATES, CHUNK = 1142, 20, 1000


def _decline(step: float, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    parts = range(0, setting.binary, CHUNK)
    sizes = [min(CHUNK, setting.binary - start) for start in parts]
    judged = _Judged(setting)
    with_anchor = [_falls(step, rng, size, judged, anchored=True) for size in sizes]
    without = [_falls(step, rng, size, judged, anchored=False) for size in sizes]
    yield share(
        GROUP,
        f"each worse by {step:g} margins",
        np.concatenate(with_anchor),
        before=np.concatenate(without),
        bound=0.055,
    )


class _Judged:
    """The gate's two checks, each judged by itself: both have to pass, and which tables come is much the same each time."""

    def __init__(self, setting: Setting) -> None:
        anchor = Anchor(model="first", candidates=CANDIDATES)
        (against,) = anchor_checks([DROP], anchor, confidence=setting.confidence)
        self._live, self._anchor = setting.gate(DROP), setting.gate(against)
        self._known: dict[tuple[bool, bytes], bool] = {}

    def passes(self, found: Counts, *, anchor: bool) -> NDArray[np.bool_]:
        """Which candidates pass against what is live, or against the anchor; `found` has shape (replicates, 9)."""
        distinct, places = np.unique(found, axis=0, return_inverse=True)
        outcomes = [self._passes(table, anchor) for table in distinct]
        return np.array(outcomes, dtype=np.bool_)[places.ravel()]

    def _passes(self, table: NDArray[np.int64], anchor: bool) -> bool:
        key = anchor, table.tobytes()
        if key not in self._known:
            policy, make = (self._anchor, anchored) if anchor else (self._live, simulated_evidence)
            verdict = judge(policy, evidence_of(table, make=make))
            self._known[key] = verdict.outcome == "PASS"
        return self._known[key]


def anchored(pair: Pair, asked: int | None = None) -> Evidence:
    """Lay a pair out as a candidate and the anchor's kept answers; what is live answered as the anchor did."""
    plain = simulated_evidence(pair, asked)
    return replace(plain, anchor=plain.baseline)


def _falls(
    step: float, rng: np.random.Generator, replicates: int, judged: _Judged, *, anchored: bool
) -> NDArray[np.bool_]:
    """In which replicates what is live ends more than a margin below the first model."""
    first, accuracy = first_model(rng, replicates, N), np.full(replicates, ACCURACY)
    live = first
    for _ in range(CANDIDATES):
        candidate = successor(rng, live, accuracy, -step * MARGIN)
        passed = judged.passes(table_of(candidate, live), anchor=False)
        if anchored:
            passed &= judged.passes(table_of(candidate, first), anchor=True)
        live = np.where(passed[:, None], candidate, live)
        accuracy = np.where(passed, accuracy - step * MARGIN, accuracy)
    return accuracy < ACCURACY - MARGIN - 1e-9


def _price(rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    found, judged = tables(rng, setting.binary, N, 0.0), _Judged(setting)
    plain = judged.passes(found, anchor=False)
    held = plain & judged.passes(found, anchor=True)
    yield share(GROUP, f"(the price: an equal candidate is promoted, n={N})", held, before=plain)


CELLS = [
    *(
        Cell(name=f"decline {step:g}", rows=partial(_decline, step))
        for step in (0.25, 0.5, 0.75, 0.9)
    ),
    Cell(name="decline price", rows=_price),
]
