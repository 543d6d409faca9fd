"""Grades, clusters and macro-F1: all answered, and with the candidate's losing cases unanswered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from promise.cells import Cell, Setting
from promise.rows import Row, share
from scipy import special

from evals.checks.check import Check
from evals.gate.judge import judge
from evals.metrics.results import UNSCORED
from evals.selftest.simulated_models import Pair, graded, simulated_evidence

__all__ = ["CELLS"]

GROUP = "worse by exactly the margin: grades, clusters, macro-F1"
ACCURACY, CLASSES = 0.85, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    name: str
    margin: float
    draw: Callable[[np.random.Generator], Pair]
    metric: str = "score"


def _clusters(
    rng: np.random.Generator, sizes: tuple[int, ...], drop: float, icc: float = 0.3
) -> Pair:
    """Pass/fail answers that hang together within clusters of these sizes."""
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    shared = rng.normal(size=len(sizes))[clusters] * math.sqrt(icc)
    uniform = special.ndtr(shared + rng.normal(size=clusters.size) * math.sqrt(1.0 - icc))
    return {
        "ours": {"score": 1.0 - (uniform < 0.06 + drop)},
        "theirs": {"score": 1.0 - (uniform > 0.94)},
        "clusters": clusters,
    }


def _classifiers(rng: np.random.Generator, n: int, drop: float) -> Pair:
    """Labels by two classifiers whose errors are spread evenly, so that macro-F1 is what they get right."""
    truth = rng.integers(0, CLASSES, size=n)

    def answers(accuracy: float) -> NDArray[np.int64]:
        wrong = (truth + rng.integers(1, CLASSES, size=n)) % CLASSES
        return np.where(rng.random(n) < accuracy, truth, wrong)

    return {
        "ours": {},
        "theirs": {},
        "labels": (truth, answers(ACCURACY - drop), answers(ACCURACY), CLASSES),
    }


FAMILIES = (
    Family(name="grades, n=200", margin=0.05, draw=lambda rng: graded(rng, 200, 0.05)),
    Family(
        name="clusters, 50 of 8",
        margin=0.05,
        draw=lambda rng: _clusters(rng, (8,) * 50, 0.05),
    ),
    Family(
        name="macro-F1, n=400",
        margin=0.03,
        draw=lambda rng: _classifiers(rng, 400, 0.03),
        metric="label.macro_f1",
    ),
)


def _rate(family: Family, lost: float, rng: np.random.Generator, setting: Setting) -> Iterator[Row]:
    check = Check(metric=family.metric, kind="max_drop", threshold=family.margin, field="a")
    gate = setting.gate(check, min_scored=1.0 - lost)
    dropped = setting.gate(check, min_scored=1.0 - lost, missing="at_random")
    now, before = [], []
    for number in range(setting.other):
        evidence = simulated_evidence(_without(family.draw(rng), lost))
        now.append(judge(gate, evidence).outcome == "PASS")
        if lost and number < 500:  # beside the promise, and only to compare with
            before.append(judge(dropped, evidence).outcome == "PASS")
    name = f"{family.name}, {lost:.0%} lost" if lost else family.name
    yield share(GROUP, name, now, before=before if lost else None, bound=0.065)


def _without(pair: Pair, lost: float) -> Pair:
    """The pair without the candidate's answers where it loses most, as many as may be missing."""
    if not lost:
        return pair
    if "labels" in pair:
        truth, ours, theirs, classes = pair["labels"]
        loss = (ours != truth) * 1.0 - (theirs != truth)
        gone = _worst(loss, lost)
        return pair | {"labels": (truth, np.where(gone, UNSCORED, ours), theirs, classes)}
    ours, theirs = pair["ours"]["score"], pair["theirs"]["score"]
    gone = _worst(theirs - ours, lost)
    return pair | {"ours": {"score": np.where(gone, np.nan, ours)}}


def _worst(loss: NDArray[np.float64], share_: float) -> NDArray[np.bool_]:
    gone = np.zeros(loss.size, dtype=np.bool_)
    most = np.argsort(-loss, kind="stable")[: math.floor(share_ * loss.size + 1e-9)]
    gone[most[loss[most] > 0.0]] = True
    return gone


CELLS = [
    Cell(name=f"families {family.name} {lost:g}", rows=partial(_rate, family, lost))
    for family in FAMILIES
    for lost in (0.0, 0.01)
]
