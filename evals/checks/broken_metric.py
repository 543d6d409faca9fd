"""Metrics that tell nothing: every score is the worst there is, of all models, as a broken grader gives them.

Two models that get nothing right are equal, and a gate that only compares would let one replace the other for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evals.checks.check import Check
from evals.checks.measurement import Measurement
from evals.metrics.estimates import MetricSpec
from evals.metrics.results import ModelResults

__all__ = ["reached_by_the_worst", "unless_broken"]

Mask = NDArray[np.bool_]


def unless_broken(
    found: Measurement, spec: MetricSpec, models: Sequence[ModelResults], rows: Mask
) -> Measurement:
    """Return a measurement that nothing may be decided by where every score of these models over some cases is at its worst.

    Of labels, where not one is right. Amounts without an end have no worst.
    """
    if not all(_at_worst(spec, results, rows) for results in models):
        return found
    whose = "both models" if len(models) > 1 else "the candidate"
    why = (
        f"every score of {whose} is the worst there is, as if the grader were broken, so that nothing can be told by it:"
        " look at some answers and their scores, then mend the grader or its cases"
    )
    return replace(found, blocked=why, broken=True)


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
