"""Metrics that tell nothing: every score is the worst there is, of all models, as a broken grader gives them.

Two models that get nothing right are equal, and a gate that only compares would let one replace the other for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evals.checks.check import Check
from evals.metrics.estimates import MetricSpec
from evals.metrics.results import ModelResults

__all__ = ["all_at_worst", "reached_by_the_worst"]

Mask = NDArray[np.bool_]


def all_at_worst(spec: MetricSpec, models: Sequence[ModelResults], rows: Mask) -> str | None:
    """Return that every score of these models over some cases is at its worst, None when it is not.

    Of labels, when not one is right. Amounts without an end have no worst.
    """
    if not all(_at_worst(spec, results, rows) for results in models):
        return None
    whose = "both models" if len(models) > 1 else "the candidate"
    return (
        f"every score of {whose} is the worst there is, as if the grader were broken: nothing can be told by it;"
        " look at some answers and their scores, then mend the grader or its cases"
    )


def reached_by_the_worst(check: Check, spec: MetricSpec) -> bool:
    """Return whether an absolute check is so lax that a model at its very worst would pass."""
    if check.decide_on != "point" or not spec.bounded:
        return False
    return check.threshold >= spec.hi if check.spec.rising else check.threshold <= spec.lo


def _at_worst(spec: MetricSpec, results: ModelResults, rows: Mask) -> bool:
    if spec.family == "label":
        column = results.labels[spec.column]
        return not bool((column.predicted[rows] == column.truth[rows]).any())
    if not spec.bounded:
        return False
    worst = spec.lo if spec.higher_is_better else spec.hi
    return bool((results.columns[spec.column][rows] == worst).all())
