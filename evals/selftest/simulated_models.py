"""Simulated models whose true difference is known exactly, as results that the gate judges like any others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evals.checks.check import Check
from evals.gate.examiner import Evidence
from evals.gate.policy import Approval, GatePolicy, Override
from evals.metrics.results import LabelColumn, ModelResults
from evals.records import digest

__all__ = [
    "Pair",
    "binary",
    "classified",
    "clustered",
    "costs",
    "gate_of",
    "graded",
    "repeated",
    "simulated_evidence",
    "together",
]

Floats = NDArray[np.float64]
Pair = dict[str, Any]
"""`ours` and `theirs` are columns by name; `clusters` and `labels` (truth, ours, theirs) where there are any."""


def binary(rng: np.random.Generator, n: int, differing: float, difference: float) -> Pair:
    """Pass/fail answers that differ on a share of the cases, candidate - baseline as given."""
    draw = rng.random(n)
    won = draw < (differing + difference) / 2.0
    lost = ~won & (draw < differing)
    return {"ours": {"score": (~lost).astype(float)}, "theirs": {"score": (~won).astype(float)}}


def graded(rng: np.random.Generator, n: int, drop: float) -> Pair:
    """Grades in quarters; the candidate loses half or a whole grade now and then, and seldom gains one."""
    chances = [drop + 0.02, 0.05 + drop, 0.88 - 2 * drop, 0.05]
    steps = rng.choice([-0.5, -0.25, 0.0, 0.25], size=n, p=chances)
    # The mean of the steps is -0.75 drop - 0.01; what is missing comes as rare whole grades.
    extra = (rng.random(n) < _rest(drop)) & (steps == 0.0)
    difference = np.where(extra, -1.0, steps)
    return {
        "ours": {"score": np.minimum(1.0, 1.0 + difference)},
        "theirs": {"score": np.minimum(1.0, 1.0 - difference)},
    }


def _rest(drop: float) -> float:
    return (0.25 * drop - 0.01) / (0.88 - 2 * drop)


def repeated(rng: np.random.Generator, n: int, drop: float, repeats: int = 3) -> Pair:
    """Means over repeats of models that pass each case at random."""
    rate = rng.beta(4.0, 1.0, size=n)
    ours = rng.binomial(repeats, rate * (1.0 - drop / 0.8), size=n) / repeats
    return {"ours": {"score": ours}, "theirs": {"score": rng.binomial(repeats, rate) / repeats}}


def clustered(
    rng: np.random.Generator, groups: int, size: int, drop: float, icc: float = 0.3
) -> Pair:
    """Pass/fail answers that hang together within clusters of unequal size."""
    clusters = np.repeat(np.arange(groups), rng.integers(1, 2 * size, size=groups))
    shared = rng.normal(size=groups)[clusters] * math.sqrt(icc)
    uniform = special.ndtr(shared + rng.normal(size=clusters.size) * math.sqrt(1.0 - icc))
    lost, won = uniform < 0.06 + drop, uniform > 0.94
    return {
        "ours": {"score": 1.0 - lost},
        "theirs": {"score": 1.0 - won},
        "clusters": clusters,
    }


def classified(rng: np.random.Generator, n: int, accuracy: float = 0.85, classes: int = 5) -> Pair:
    """Labels by two equally good classifiers: their macro-F1 differs by 0."""
    truth = rng.integers(0, classes, size=n)

    def answers() -> NDArray[np.int64]:
        wrong = (truth + rng.integers(1, classes, size=n)) % classes
        return np.where(rng.random(n) < accuracy, truth, wrong)

    return {"ours": {}, "theirs": {}, "labels": (truth, answers(), answers(), classes)}


def costs(rng: np.random.Generator, n: int, rise: float) -> Pair:
    """Amounts with heavy tails, the candidate's dearer by exactly this share."""
    shared = rng.lognormal(sigma=1.0, size=n)
    ours = (1.0 + rise) * shared * rng.lognormal(sigma=0.5, size=n)
    return {
        "ours": {"cost_usd": ours},
        "theirs": {"cost_usd": shared * rng.lognormal(sigma=0.5, size=n)},
    }


def together(rng: np.random.Generator, n: int, differing: float, differences: list[float]) -> Pair:
    """Several pass/fail columns whose statistics have a correlation of one half."""
    shared = rng.random(n)
    ours, theirs = {}, {}
    for number, difference in enumerate(differences):
        # Two columns share their draw on half of the cases: a correlation of one half.
        uniform = np.where(rng.random(n) < math.sqrt(0.5), shared, rng.random(n))
        ours[f"score{number}"] = 1.0 - (uniform < (differing - difference) / 2.0)
        theirs[f"score{number}"] = 1.0 - (uniform > 1.0 - (differing + difference) / 2.0)
    return {"ours": ours, "theirs": theirs}


def simulated_evidence(pair: Pair, asked: int | None = None) -> Evidence:
    """Lay a pair out as evidence, the first cases only when `asked` says how many."""
    labels = pair.get("labels")
    models = []
    for number, role in enumerate(("ours", "theirs")):
        columns: Mapping[str, Floats] = pair[role]
        size = labels[0].size if labels else next(iter(columns.values())).size
        planned = np.arange(size) < (size if asked is None else asked)
        column = (
            {
                "label": LabelColumn(
                    labels=tuple(str(code) for code in range(labels[3])),
                    truth=labels[0][:, None],
                    predicted=labels[1 + number][:, None],
                )
            }
            if labels
            else {}
        )
        models.append(
            replace(
                _frame(size, role),
                planned=planned,
                columns=columns,
                labels=column,
                clusters=pair.get("clusters"),
            )
        )
    return Evidence(candidate={"simulated": models[0]}, baseline={"simulated": models[1]})


def gate_of(*checks: Check, **options: Any) -> GatePolicy:
    """A gate of these checks, everything else at its default."""
    facts: dict[str, Any] = {
        "name": "simulated",
        "path": "simulated.yaml",
        "digest": digest([repr(checks)]),
        "checks": checks,
        "first_release": "refuse",
        "confidence": 0.95,
        "min_scored": 0.99,
        "early_stop": True,
        "futility": True,
        "on_inconclusive": "fail",
        "approval": Approval(),
        "override": Override(),
        "training_overlap": {},
    }
    return GatePolicy(**(facts | options))


@lru_cache(maxsize=64)
def _frame(size: int, role: str) -> ModelResults:
    return ModelResults(
        model_id=role,
        suite="simulated",
        fingerprint="simulated",
        grader_versions={},
        case_ids=tuple(map(str, range(size))),
        planned=np.ones(size, dtype=np.bool_),
        columns={},
        labels={},
        tags={},
        clusters=None,
        outcomes={},
        evidence_digest=role,
    )
