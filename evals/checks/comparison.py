"""Measures one check's quantity with its interval: on the candidate alone, or against the baseline, case by case.

Models are compared on the cases that both have a score for, paired by case id. What can't be compared (another
suite fingerprint, another grader version, other case ids) is refused as `IncomparableError`, never worked around.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evals.checks.check import Check
from evals.checks.comparability import has_metric
from evals.checks.measurement import Measurement
from evals.checks.methods import (
    IncomparableError,
    absolute_interval_of,
    difference_of,
    ratio_of,
    too_few_for_method,
    warnings,
)
from evals.checks.prediction_powered import labelled_interval
from evals.metrics.estimates import MetricSpec, estimate_rows, metric_spec
from evals.metrics.results import UNSCORED, ModelResults
from evals.stats.interval import Interval

__all__ = ["compare", "coverage", "due_rows", "measure", "paired_rows", "rows_of"]

Mask = NDArray[np.bool_]


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
    column = _spec(check, results).column
    name = column if column in results.applicable else column.removesuffix(".accuracy")
    return rows_of(check, results) & results.applicable_to(name)


def coverage(check: Check, results: ModelResults) -> tuple[int, int]:
    """Return how many of the asked cases of the check have a score for its metric, and how many were asked."""
    due = due_rows(check, results) & results.planned
    return int(np.count_nonzero(_scored(_spec(check, results), results) & due)), int(due.sum())


def paired_rows(check: Check, candidate: ModelResults, baseline: ModelResults | None) -> Mask:
    """Return the cases the check can be measured on: asked and scored, of both models when it is relative."""
    rows = rows_of(check, candidate) & candidate.planned
    rows &= _scored(_spec(check, candidate), candidate)
    if check.relative and baseline is not None:
        rows &= baseline.planned & _scored(_spec(check, baseline), baseline)
    return rows


def measure(
    check: Check, candidate: ModelResults, baseline: ModelResults | None, confidence: float
) -> Measurement:
    """Measure the candidate alone, with one-sided bounds at `confidence` each.

    Raises:
        IncomparableError: nothing fits the check.
        ValueError: the scores are none the metric can be computed from.
    """
    spec = _spec(check, candidate)
    rows = rows_of(check, candidate) & candidate.planned & _scored(spec, candidate)
    other = None if baseline is None else _point(spec, baseline, rows & _scored(spec, baseline))
    if not rows.any():
        return Measurement(n=0, candidate=None, baseline=other, blocked="no case was scored")
    undefined = _undefined(spec, candidate, rows)
    if undefined:
        return Measurement(n=int(rows.sum()), candidate=None, baseline=other, blocked=undefined)
    if check.with_labels:
        point = _point(spec, candidate, rows)
        return _labelled(spec, candidate, None, rows, confidence, (point, other))
    found = absolute_interval_of(spec, candidate, rows, confidence)
    return _measurement(spec, found, rows, (found.estimate, other), ratio=False)


def compare(
    check: Check, candidate: ModelResults, baseline: ModelResults, confidence: float
) -> Measurement:
    """Measure candidate against baseline on the cases both have a score for. Raises as `measure`."""
    spec = _spec(check, candidate)
    if check.percent and check.spec.superiority and not spec.higher_is_better:
        raise IncomparableError("a gain in % needs a metric where higher is better")
    # Only pairs count: a case that one model alone answered would compare the models on different cases. That missing
    # answers can't be left out at will is the coverage rule's part (`coverage`).
    rows = rows_of(check, candidate) & candidate.planned & baseline.planned
    rows &= _scored(spec, candidate) & _scored(spec, baseline)
    if not rows.any():
        return Measurement(n=0, candidate=None, baseline=None, blocked="no pair was scored")
    points = _point(spec, candidate, rows), _point(spec, baseline, rows)
    undefined = _undefined(spec, candidate, rows)
    if undefined:
        return Measurement(
            n=int(rows.sum()), candidate=points[0], baseline=points[1], blocked=undefined
        )
    if check.with_labels:
        return _labelled(spec, candidate, baseline, rows, confidence, points)
    interval = ratio_of if check.percent else difference_of
    found = interval(spec, candidate, baseline, rows, confidence)
    if check.spec.superiority and not spec.higher_is_better:
        found = _mirrored(found)
    return _measurement(spec, found, rows, points, ratio=check.percent)


def _labelled(
    spec: MetricSpec,
    candidate: ModelResults,
    baseline: ModelResults | None,
    rows: Mask,
    confidence: float,
    points: tuple[float | None, float | None],
) -> Measurement:
    """The judge's metric corrected by human labels; both points are what the judge says."""
    found, blocked = labelled_interval(spec, candidate, baseline, rows, confidence)
    cases = int(rows.sum())
    if found is None:
        return Measurement(n=cases, candidate=points[0], baseline=points[1], blocked=blocked)
    labels = int(found.detail.get("labels", cases))
    return Measurement.of(
        found,
        cases,
        points,
        method=f"{found.method}, {labels} human labels",
        blocked=blocked or None,
        warnings=("the interval is corrected by human labels; the two values are the judge's own",),
    )


def _measurement(
    spec: MetricSpec,
    found: Interval,
    rows: Mask,
    points: tuple[float | None, float | None],
    *,
    ratio: bool,
) -> Measurement:
    cases = int(rows.sum())
    blocked = too_few_for_method(spec, found, cases, ratio=ratio)
    return Measurement.of(
        found, cases, points, ratio=ratio, blocked=blocked, warnings=warnings(found)
    )


def _undefined(spec: MetricSpec, results: ModelResults, rows: Mask) -> str | None:
    """Say why a metric has no value on these cases, whatever was answered."""
    if spec.family == "label" and spec.statistic in ("mcc", "kappa"):
        truth = results.labels[spec.column].truth[rows]
        if truth.min() == truth.max():
            return f"{spec.statistic} is undefined: only one true label occurs"
    return None


def _mirrored(found: Interval) -> Interval:
    return Interval(
        lower=-found.upper,
        upper=-found.lower,
        estimate=-found.estimate,
        n=found.n,
        method=found.method,
        confidence=found.confidence,
        detail=found.detail,
    )


def _spec(check: Check, results: ModelResults) -> MetricSpec:
    spec = metric_spec(check.metric, results)
    if spec is None or not has_metric(check.metric, results):
        raise IncomparableError(f"no suite measured '{check.metric}'")
    return spec


def _scored(spec: MetricSpec, results: ModelResults) -> Mask:
    if spec.family == "label":
        return np.asarray((results.labels[spec.column].predicted != UNSCORED).all(axis=1))
    return np.asarray(np.isfinite(results.columns[spec.column]))


def _point(spec: MetricSpec, results: ModelResults, rows: Mask) -> float | None:
    return estimate_rows(results, spec, rows) if rows.any() else None
