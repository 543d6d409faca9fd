"""Measures one check's quantity with its interval: on the candidate alone, or against the baseline, case by case.

Models are compared on the cases that both were asked, paired by case id. What can't be compared (another suite fingerprint,
another grader version, other case ids) is refused as `IncomparableError`, never worked around.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.checks.broken_metric import reached_by_the_worst, unless_broken
from evals.checks.check import Check
from evals.checks.floors import too_few_for_method, warnings
from evals.checks.kinds import MissingRule
from evals.checks.measurement import Measurement
from evals.checks.methods import (
    IncomparableError,
    absolute_interval_of,
    difference_of,
    ratio_of,
)
from evals.checks.missing import (
    missing_cases,
    scored_rows,
    unknown_truths,
    with_shared_truths,
)
from evals.checks.prediction_powered import labelled_interval
from evals.checks.rows import asked_rows, due_rows, spec_of
from evals.checks.worst_case import Sides, Take, outer_bounds, rise_is_worse, widened
from evals.metrics.estimates import MetricSpec, estimate_rows
from evals.metrics.results import ModelResults
from evals.stats.clusters import cluster_sizes
from evals.stats.interval import Interval

__all__ = ["compare", "measure"]

Mask = NDArray[np.bool_]
Points = tuple[float | None, float | None]
"""The metric of candidate and baseline."""


def measure(
    check: Check,
    candidate: ModelResults,
    baseline: ModelResults | None,
    confidence: float,
    *,
    missing: MissingRule = "worst_case",
) -> Measurement:
    """Measure the candidate alone, with one-sided bounds at `confidence` each; missing scores as in `compare`.

    Raises:
        IncomparableError: nothing fits the check.
        ValueError: the scores are none the metric can be computed from.
    """
    spec = spec_of(check, candidate)
    asked = asked_rows(check, candidate, None)
    sides = Sides(spec, candidate, None, asked, due_rows(check, candidate))
    rows = sides.asked & scored_rows(spec, candidate)
    other = None if baseline is None else _point(spec, baseline, rows & scored_rows(spec, baseline))
    blocked = _undefined(spec, candidate, rows) if rows.any() else "no case was scored"
    if blocked:
        return _blocked(sides, (None, other), blocked)

    points = _point(spec, candidate, rows), other
    if check.with_labels:
        return _labelled(check, sides, rows, confidence, points, missing)

    def take(ours: ModelResults, _: ModelResults | None, over: Mask) -> Interval:
        return absolute_interval_of(spec, ours, over, confidence)

    found = _measured(check, sides, rows, points, take, missing)
    lax = reached_by_the_worst(check, spec)
    return unless_broken(found, spec, (candidate,), rows) if lax else found


def compare(
    check: Check,
    candidate: ModelResults,
    baseline: ModelResults,
    confidence: float,
    *,
    missing: MissingRule = "worst_case",
) -> Measurement:
    """Measure candidate against baseline, case by case. Raises as `measure`.

    A missing score counts at its ends (see `evals.checks.worst_case`). With `missing` "at_random" only the cases are compared
    that both models have a score for: one that a model alone answered would compare them on different cases.
    """
    spec = spec_of(check, candidate)
    if check.percent and check.spec.superiority and not spec.higher_is_better:
        raise IncomparableError("a gain in % needs a metric where higher is better")
    candidate, baseline = with_shared_truths(spec, candidate, baseline)
    asked = asked_rows(check, candidate, baseline)
    sides = Sides(spec, candidate, baseline, asked, due_rows(check, candidate))
    rows = sides.asked & scored_rows(spec, candidate) & scored_rows(spec, baseline)
    if not rows.any():
        return _blocked(sides, (None, None), "no pair was scored")
    points = _point(spec, candidate, rows), _point(spec, baseline, rows)
    undefined = _undefined(spec, candidate, rows)
    if undefined:
        return _blocked(sides, points, undefined)
    method = ratio_of if check.percent else difference_of
    mirrored = check.spec.superiority and not spec.higher_is_better

    def take(ours: ModelResults, theirs: ModelResults | None, over: Mask) -> Interval:
        found = method(spec, ours, baseline if theirs is None else theirs, over, confidence)
        return _mirrored(found) if mirrored else found

    if check.with_labels:
        return _labelled(check, sides, rows, confidence, points, missing)
    found = _measured(check, sides, rows, points, take, missing)
    return unless_broken(found, spec, (candidate, baseline), rows)


def _measured(
    check: Check, sides: Sides, rows: Mask, points: Points, take: Take, missing: MissingRule
) -> Measurement:
    """The quantity over all cases that were asked, whatever is missing of them; `rows` are those that are scored."""
    lost = _lost(sides)
    if missing == "at_random" or not any(lost):
        found = take(sides.candidate, sides.baseline, rows)
        return _measurement(check, sides, found, rows, points, missing=lost)
    if unknown_truths(sides.spec, sides.candidate, sides.asked):
        return _blocked(sides, points, "the true labels of missing answers are not known")
    ends = outer_bounds(check, sides, take)
    found = ends.worst or ends.best or take(sides.candidate, sides.baseline, rows)
    return _measurement(
        check,
        sides,
        found,
        sides.asked,
        points,
        missing=lost,
        estimate=take(sides.candidate, sides.baseline, rows).estimate,
        lower=ends.lower,
        upper=ends.upper,
        worst=ends.worst,
        best=ends.best,
        at_ends=True,
    )


def _lost(sides: Sides) -> tuple[int, int]:
    spec, asked = sides.spec, sides.asked
    theirs = 0 if sides.baseline is None else missing_cases(spec, sides.baseline, asked)
    return missing_cases(spec, sides.candidate, asked), theirs


def _blocked(sides: Sides, points: Points, why: str) -> Measurement:
    return Measurement(
        n=sides.count,
        asked=sides.count,
        candidate=points[0],
        baseline=points[1],
        blocked=why,
        missing=_lost(sides),
    )


def _labelled(
    check: Check,
    sides: Sides,
    rows: Mask,
    confidence: float,
    points: Points,
    missing: MissingRule,
) -> Measurement:
    """The judge's metric corrected by human labels; both points are what the judge says."""
    spec = sides.spec
    found, blocked = labelled_interval(spec, sides.candidate, sides.baseline, rows, confidence)
    if found is None:
        return _blocked(sides, points, blocked)
    lost = _lost(sides)
    labels = int(found.detail.get("labels", int(rows.sum())))
    more: dict[str, Any] = {}
    if missing == "worst_case" and any(lost):
        more = widened(sides, rows, found, rise_is_worse(check, spec))
    return Measurement.of(
        found,
        int((sides.asked if more else rows).sum()),
        points,
        method=f"{found.method}, {labels} human labels",
        blocked=blocked or None,
        warnings=("the interval is corrected by human labels; the two values are the judge's own",),
        missing=lost,
        asked=sides.count,
        **more,
    )


def _measurement(
    check: Check, sides: Sides, found: Interval, rows: Mask, points: Points, **more: Any
) -> Measurement:
    cases, ratio, whole = int(rows.sum()), check.percent, None
    if sides.candidate.clusters is not None:
        # Those of a look may be less unequal by luck than those of all that it is a part of.
        whole = cluster_sizes(np.bincount(sides.candidate.clusters[sides.due]))
    return Measurement.of(
        found,
        cases,
        points,
        ratio=ratio,
        blocked=too_few_for_method(sides.spec, found, cases, ratio=ratio, whole=whole),
        warnings=warnings(found),
        asked=sides.count,
        **more,
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


def _point(spec: MetricSpec, results: ModelResults, rows: Mask) -> float | None:
    return estimate_rows(results, spec, rows) if rows.any() else None
