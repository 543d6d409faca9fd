"""Clusters of unequal size: one that holds 30 % of the cases, or sizes as Zipf's law has them; at a fixed n and looking early.

Pass/fail answers hang together within a cluster by a latent normal variable (correlation 0.3). "Before" counts clusters, not what they are worth: CR2 with t(G - 1) at a fixed n, on the same draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from promise.cells import Cell, Setting
from promise.rows import Row, share
from scipy import special

from evals.checks.check import Check
from evals.gate.judge import judge
from evals.gate.replay import replay
from evals.selftest.simulated_models import Pair, simulated_evidence
from evals.stats.bounded import bounded_score_bounds
from evals.stats.clusters import cluster_errors
from evals.stats.sequential import plan_looks
from evals.stats.validation import t_critical

__all__ = ["CELLS"]

WORSE = (
    "clusters of unequal size: promoted although worse by exactly the margin, or exactly at the bar"
)
EQUAL = "clusters of unequal size: promoted when equal, or 0.06 above the bar"
SHAPES = ("even", "one of 30 %", "Zipf")
CASES = {20: 400, 50: 400, 200: 1000}
MARGINS = {20: 0.2, 50: 0.1, 200: 0.05}
BAR, ABOVE, ALIKE = 0.9, 0.06, 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One kind of sample: how many clusters of which sizes, and whether a level or a difference is judged."""

    groups: int
    shape: str
    level: bool

    @property
    def name(self) -> str:
        return f"{'level' if self.level else 'difference'}, G={self.groups}, {self.shape}"

    @property
    def check(self) -> Check:
        if self.level:
            return Check(metric="score", kind="at_least", threshold=BAR, field="a")
        return Check(metric="score", kind="max_drop", threshold=MARGINS[self.groups], field="a")

    @property
    def bar(self) -> float:
        return BAR if self.level else -MARGINS[self.groups]

    def clusters(self) -> NDArray[np.int64]:
        """The cluster of each case."""
        weights = np.ones(self.groups)
        if self.shape == "Zipf":
            weights = 1.0 / np.arange(1, self.groups + 1)
        share = 0.7 if self.shape == "one of 30 %" else 1.0
        sizes = np.maximum(1, np.round(share * CASES[self.groups] * weights / weights.sum()))
        if share < 1.0:
            sizes[0] = np.round(0.3 / 0.7 * sizes[1:].sum())
        return np.repeat(np.arange(self.groups), sizes.astype(np.int64))

    def draw(self, rng: np.random.Generator, clusters: NDArray[np.int64], *, good: bool) -> Pair:
        """Answers in a random order, of a candidate at the bar, or of a good one."""
        order = rng.permutation(clusters.size)
        lost = 0.06 if good else 0.06 + MARGINS[self.groups]
        if self.level:
            lost = 1.0 - BAR - (ABOVE if good else 0.0)
        ours = _latent(rng, clusters) >= lost
        theirs = _latent(rng, clusters) >= 0.06
        return {
            "ours": {"score": ours[order] * 1.0},
            "theirs": {"score": theirs[order] * 1.0},
            "clusters": clusters[order],
        }

    def counted(self, pair: Pair) -> bool:
        """Whether it would pass if clusters were counted, whatever their sizes."""
        values = pair["ours"]["score"] - (0.0 if self.level else pair["theirs"]["score"])
        if not np.ptp(values):
            return False
        errors = cluster_errors(values, pair["clusters"])
        lower, _ = bounded_score_bounds(
            values,
            lo=0.0 if self.level else -1.0,
            design_effect=max(1.0, (errors.se_cr2 / errors.se_iid) ** 2),
            critical=t_critical(0.95, errors.n_clusters - 1),
        )
        return lower > self.bar


def _latent(rng: np.random.Generator, clusters: NDArray[np.int64]) -> NDArray[np.float64]:
    shared = rng.normal(size=clusters[-1] + 1)[clusters] * math.sqrt(ALIKE)
    own = rng.normal(size=clusters.size) * math.sqrt(1.0 - ALIKE)
    return np.asarray(special.ndtr(shared + own))


def _rate(sample: Sample, good: bool, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    clusters = sample.clusters()
    sizes = plan_looks(clusters.size).sizes
    gate = setting.gate(sample.check)
    looking = setting.gate(sample.check, futility=False)
    fixed, early, before = [], [], []
    # Looking takes ten times as long, and what a good candidate comes to is no promise.
    count = max(1, setting.other // (4 if good else 1))
    for number in range(count):
        pair = sample.draw(rng, clusters, good=good)
        fixed.append(judge(gate, simulated_evidence(pair)).outcome == "PASS")
        before.append(sample.counted(pair))
        if 2 * number < count:
            verdict, _ = replay(
                looking,
                lambda look, pair=pair: simulated_evidence(pair, sizes[look - 1]),
                len(sizes),
            )
            early.append(verdict.outcome == "PASS")
    group = EQUAL if good else WORSE
    # Even ones are there to compare with; what is promised of them is measured elsewhere.
    bound = None if good or sample.shape == "even" else 0.065
    yield share(group, sample.name, fixed, before=before, bound=bound)
    yield share(group, f"{sample.name}, ten looks", early, bound=bound)


CELLS = [
    Cell(
        name=f"clusters {sample.name} {'good' if good else 'at the bar'}",
        rows=partial(_rate, sample, good),
    )
    for good in (False, True)
    for level in (False, True)
    for groups in CASES
    for sample in (Sample(groups=groups, shape=shape, level=level) for shape in SHAPES)
]
