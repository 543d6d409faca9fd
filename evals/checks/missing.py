"""What is missing of a model's answers, and the most harmful and the most helpful that it could have been.

Answers get lost for reasons that may have to do with what they would have said: a model that runs in circles times out.
Left out, they would take their failures with them. So nothing is assumed of them: a bound holds whatever they were when it
holds with each of them at the end of its scale (partial identification: Horowitz & Manski 2000; Manski 2003).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.metrics.estimates import MetricSpec
from evals.metrics.results import INVALID, UNSCORED, LabelColumn, ModelResults
from evals.stats.confusion import count, label_metric
from evals.stats.lost_labels import highest_value, lowest_value, worst_labels

__all__ = ["filled", "missing_cases", "scored_rows"]

_LEAST = float(np.nextafter(0.0, 1.0))

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def scored_rows(spec: MetricSpec, results: ModelResults) -> Mask:
    """Return which cases have a score for a metric, of one repeat at least (labels: of all), shape (cases,)."""
    if spec.family == "label":
        return np.asarray((results.labels[spec.column].predicted != UNSCORED).all(axis=1))
    return np.asarray(np.isfinite(results.columns[spec.column]))


def missing_cases(spec: MetricSpec, results: ModelResults, rows: Mask) -> int:
    """Return of how many of some cases a score is missing, of a single repeat too."""
    if spec.family == "label":
        return int(np.count_nonzero(rows & ~scored_rows(spec, results)))
    return int(np.count_nonzero(rows & (results.share_of(spec.column) < 1.0)))


def with_shared_truths(
    spec: MetricSpec, candidate: ModelResults, baseline: ModelResults
) -> tuple[ModelResults, ModelResults]:
    """Return both results with the true labels that only the other model's answers told."""
    if spec.family != "label":
        return candidate, baseline
    ours, theirs = candidate.labels[spec.column], baseline.labels[spec.column]
    lacking = [(column.truth == UNSCORED) for column in (ours, theirs)]
    if ours.truth.shape != theirs.truth.shape or not any(gaps.any() for gaps in lacking):
        return candidate, baseline
    ours, theirs = (
        replace(mine, truth=np.where(gaps, other.truth, mine.truth))
        for mine, other, gaps in ((ours, theirs, lacking[0]), (theirs, ours, lacking[1]))
    )
    return (
        replace(candidate, labels={**candidate.labels, spec.column: ours}),
        replace(baseline, labels={**baseline.labels, spec.column: theirs}),
    )


def unknown_truths(spec: MetricSpec, results: ModelResults, rows: Mask) -> bool:
    """Return whether nobody knows what some of the missing answers should have been."""
    if spec.family != "label":
        return False
    return bool((results.labels[spec.column].truth[rows] == UNSCORED).any())


class Filled(NamedTuple):
    """Results without a gap, and by how much the metric may lie beyond what it is on them."""

    results: ModelResults
    slack: float = 0.0


def filled(spec: MetricSpec, results: ModelResults, rows: Mask, *, high: bool) -> Filled:
    """Return the results with every missing score of some cases at an end of its scale.

    A missing answer of a label metric is right, or the wrong label that lowers the metric most (`evals.stats.lost_labels`).

    Args:
        spec: the metric.
        results: one model's; where several repeats of a case were asked, the missing ones are filled.
        rows: the cases, a mask of shape (cases,).
        high: the upper end, else the lower one. An amount that has no upper end is infinite.
    """
    if spec.family == "label":
        return _filled_labels(spec, results, rows, high=high)
    values, share = results.columns[spec.column], results.share_of(spec.column)
    lacking = rows & (share < 1.0)
    known = np.where(share > 0.0, values, 0.0)[lacking] * share[lacking]
    whole = values.copy()
    whole[lacking] = known + _ends(spec, results, high=high)[lacking] * (1.0 - share[lacking])
    return Filled(replace(results, columns={**results.columns, spec.column: whole}))


def _ends(spec: MetricSpec, results: ModelResults, *, high: bool) -> Floats:
    """The end of the scale for every case, in the column's own unit."""
    size = len(results.case_ids)
    if not high and spec.family == "quantile":
        return np.full(size, _LEAST)  # as good as 0, and still something to compare with
    if not high or math.isfinite(spec.hi):
        return np.full(size, spec.hi if high else spec.lo)
    most = results.most.get(spec.column, np.full(size, np.inf))
    return np.asarray(np.where(np.isnan(most), np.inf, most))


def _filled_labels(spec: MetricSpec, results: ModelResults, rows: Mask, *, high: bool) -> Filled:
    column = results.labels[spec.column]
    cells = rows[:, None] & (column.truth != UNSCORED)
    lost = cells & (column.predicted == UNSCORED)
    size = len(column.labels) + 1
    truth, there = column.truth[cells], ~lost[cells]
    said = np.where(column.predicted < 0, size - 1, column.predicted)[cells]
    known = count(truth[there], said[there], size)
    missing = column.truth[lost]
    answers = missing if high else worst_labels(known, missing, spec.statistic)
    predicted = column.predicted.copy()
    predicted[lost] = np.where(answers == size - 1, INVALID, answers)
    whole = LabelColumn(labels=column.labels, truth=column.truth, predicted=predicted)
    value = highest_value if high else lowest_value
    limit = value(known, missing, spec.statistic)
    return Filled(
        replace(results, labels={**results.labels, spec.column: whole}),
        _slack(whole, cells, spec, limit),
    )


def _slack(column: LabelColumn, cells: Mask, spec: MetricSpec, limit: float) -> float:
    size = len(column.labels) + 1
    said = np.where(column.predicted < 0, size - 1, column.predicted)[cells]
    counts = count(column.truth[cells], said, size)
    return abs(limit - float(label_metric(counts, spec.statistic)))
