"""Which cases a check is about: those of its slice that its metric applies to, those that were asked, those that have a score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evals.checks.check import Check
from evals.checks.comparability import has_metric
from evals.checks.methods import IncomparableError
from evals.checks.missing import scored_rows
from evals.metrics.estimates import MetricSpec, metric_spec
from evals.metrics.results import ModelResults

__all__ = ["asked_rows", "coverage", "due_rows", "paired_rows", "rows_of", "spec_of"]

Mask = NDArray[np.bool_]


def spec_of(check: Check, results: ModelResults) -> MetricSpec:
    """Return what a check's metric is in some results. Raises IncomparableError where no suite measured it."""
    spec = metric_spec(check.metric, results)
    if spec is None or not has_metric(check.metric, results):
        raise IncomparableError(f"no suite measured '{check.metric}'")
    return spec


def rows_of(check: Check, results: ModelResults) -> Mask:
    """Return which cases the check is about, asked or not, shape (cases,). Raises IncomparableError for none."""
    rows = np.ones(len(results.case_ids), dtype=np.bool_)
    for tag, value in check.where.items():
        if tag not in results.tags:
            raise IncomparableError(f"no case has the tag '{tag}'")
        rows &= np.asarray(results.tags[tag] == value)
    if check.each is not None:
        raise IncomparableError(f"no case has a value for the tag '{check.each}'")
    if not rows.any():
        raise IncomparableError("the slice matches no case")
    return rows


def due_rows(check: Check, results: ModelResults) -> Mask:
    """Return the cases that the check is about and that its metric applies to, asked or not."""
    return rows_of(check, results) & results.applicable_to(spec_of(check, results).column)


def coverage(check: Check, results: ModelResults) -> tuple[int, int]:
    """Return how many of the asked cases of the check have a score for its metric, and how many were asked."""
    due = due_rows(check, results) & results.planned
    return int(np.count_nonzero(scored_rows(spec_of(check, results), results) & due)), int(
        due.sum()
    )


def paired_rows(check: Check, candidate: ModelResults, baseline: ModelResults | None) -> Mask:
    """Return the cases that were asked and scored, of both models when the check is relative."""
    rows = asked_rows(check, candidate, baseline) & scored_rows(
        spec_of(check, candidate), candidate
    )
    if check.relative and baseline is not None:
        rows &= scored_rows(spec_of(check, baseline), baseline)
    return rows


def asked_rows(check: Check, candidate: ModelResults, baseline: ModelResults | None) -> Mask:
    """Return the cases due to the check that were asked, of both models when it is relative; scored or not."""
    rows = due_rows(check, candidate) & candidate.planned
    return rows & baseline.planned if check.relative and baseline is not None else rows
