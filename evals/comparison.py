"""Measures one check's quantity with its interval: on the candidate alone, or against the baseline, case by case.

Models are compared on the cases that both have a score for, paired by case id. What can't be compared (another
suite fingerprint, another grader version, other case ids) is refused as `IncomparableError`, never worked around.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.columns import UNSCORED, ModelResults, pooled
from evals.errors import GatewrightError
from evals.metrics import MetricSpec, estimate_rows, metric_spec
from evals.policy import Check
from evals.stats import checks as intervals
from evals.stats.interval import Interval

__all__ = [
    "IncomparableError",
    "Measurement",
    "compare",
    "coverage",
    "measure",
    "require_comparable",
    "results_for",
    "rows_of",
]

MIN_CLUSTERS = 10
FEW_CLUSTERS = 20
MIN_LABEL_CASES = 100
MIN_RATIO_QUANTILE_CASES = 200
MIN_QUANTILE_CASES = 59

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class IncomparableError(GatewrightError):
    """The evidence can't be measured or compared; the check is an ERROR and never a pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A quantity held against a bar. All values are unrounded; None where nothing could be measured.

    `estimate`, `lower` and `upper` are of the metric itself, of candidate - baseline (baseline - candidate for a gain
    in a metric where lower is better), or of candidate / baseline when `ratio` is set. `blocked` names a floor that
    forbids deciding (too few clusters, too few cases for the method).
    """

    n: int
    candidate: float | None
    baseline: float | None
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    method: str = ""
    ratio: bool = False
    blocked: str | None = None
    warnings: tuple[str, ...] = ()


def results_for(check: Check, side: Mapping[str, ModelResults]) -> ModelResults:
    """Return the results that hold the check's metric: of its suite, of the one suite that has it, or of all pooled."""
    if check.suite is not None:
        if check.suite not in side:
            raise IncomparableError(f"no results of suite '{check.suite}'")
        return side[check.suite]
    having = [
        results for results in side.values() if metric_spec(check.metric, results) is not None
    ]
    if not having:
        raise IncomparableError(f"no suite measured '{check.metric}'")
    return having[0] if len(having) == 1 else pooled(having)


def require_comparable(candidate: ModelResults, baseline: ModelResults) -> None:
    """Raise IncomparableError unless both models were asked the same cases of the same suite and graded alike."""
    if candidate.fingerprint != baseline.fingerprint:
        raise IncomparableError("the suite's fingerprint differs between candidate and baseline")
    if dict(candidate.grader_versions) != dict(baseline.grader_versions):
        raise IncomparableError("grader versions differ between candidate and baseline")
    if candidate.case_ids != baseline.case_ids:
        raise IncomparableError("candidate and baseline were not asked the same cases")
    if len(set(candidate.case_ids)) != len(candidate.case_ids):
        raise IncomparableError("a case id occurs twice")


def rows_of(check: Check, results: ModelResults) -> Mask:
    """Return which planned cases the check is about, shape (cases,). Raises IncomparableError when it matches none."""
    rows = np.ones(len(results.case_ids), dtype=np.bool_)
    for tag, value in check.where.items():
        if tag not in results.tags:
            raise IncomparableError(f"no case has the tag '{tag}'")
        rows &= np.asarray(results.tags[tag] == value)
    if check.each is not None:
        raise IncomparableError(f"no case has a value for the tag '{check.each}'")
    if not rows.any():
        raise IncomparableError("the slice matches no case")
    return rows & results.planned


def coverage(check: Check, results: ModelResults) -> float:
    """Share of the asked cases that have a score for the check's metric, over the whole suite; 0.0 of none."""
    spec = _spec(check, results)
    due = results.planned & results.applicable_to(spec.column)
    asked = int(due.sum())
    return float(np.count_nonzero(_scored(spec, results) & due)) / asked if asked else 0.0


def measure(
    check: Check, candidate: ModelResults, baseline: ModelResults | None, confidence: float
) -> Measurement:
    """Measure the candidate alone, with one-sided bounds at `confidence` each. Raises IncomparableError."""
    spec = _spec(check, candidate)
    rows = rows_of(check, candidate) & _scored(spec, candidate)
    other = None if baseline is None else _point(spec, baseline, rows & _scored(spec, baseline))
    if not rows.any():
        return Measurement(n=0, candidate=None, baseline=other, blocked="no case was scored")
    clusters = _clusters(candidate, rows)
    if spec.family == "label":
        column = candidate.labels[spec.column]
        found = intervals.label_metric_interval(
            *_flat(column.truth, column.predicted, rows),
            labels=range(len(column.labels)),
            metric=spec.statistic,
            confidence=confidence,
            clusters=_repeated(clusters, rows, column.truth),
        )
    elif spec.family == "quantile":
        found = intervals.quantile_interval(
            candidate.columns[spec.column][rows], q=spec.quantile, confidence=confidence
        )
    elif spec.bounded:
        found = intervals.absolute_interval(
            candidate.columns[spec.column][rows],
            confidence=confidence,
            lo=spec.lo,
            hi=spec.hi,
            clusters=clusters,
        )
    else:
        found = intervals.mean_interval(
            candidate.columns[spec.column][rows] * spec.scale,
            confidence=confidence,
            clusters=clusters,
        )
    return _measurement(spec, found, found.estimate, other, ratio=False)


def compare(
    check: Check, candidate: ModelResults, baseline: ModelResults, confidence: float
) -> Measurement:
    """Measure candidate against baseline on the cases both have a score for. Raises IncomparableError."""
    spec = _spec(check, candidate)
    rows = rows_of(check, candidate) & _scored(spec, candidate) & _scored(spec, baseline)
    ours, theirs = _point(spec, candidate, rows), _point(spec, baseline, rows)
    if not rows.any():
        return Measurement(n=0, candidate=ours, baseline=theirs, blocked="no pair was scored")
    if check.percent:
        found = _ratio(spec, candidate, baseline, rows, confidence)
    else:
        found = _difference(spec, candidate, baseline, rows, confidence)
    if check.kind == "min_gain" and not spec.higher_is_better:
        found = _mirrored(found)
    return _measurement(spec, found, ours, theirs, ratio=check.percent)


def _difference(
    spec: MetricSpec, candidate: ModelResults, baseline: ModelResults, rows: Mask, confidence: float
) -> Interval:
    clusters = _clusters(candidate, rows)
    if spec.family == "label":
        ours, theirs = candidate.labels[spec.column], baseline.labels[spec.column]
        truth, predicted = _flat(ours.truth, ours.predicted, rows)
        return intervals.label_metric_interval(
            truth,
            predicted,
            labels=range(len(ours.labels)),
            metric=spec.statistic,
            confidence=confidence,
            baseline=_flat(theirs.truth, theirs.predicted, rows)[1],
            clusters=_repeated(clusters, rows, ours.truth),
        )
    if spec.family == "quantile":
        raise IncomparableError(
            f"'{spec.name}' is compared as a ratio only; write the margin with a % sign"
        )
    ours_, theirs_ = candidate.columns[spec.column][rows], baseline.columns[spec.column][rows]
    if not spec.bounded:
        return intervals.mean_interval(
            (ours_ - theirs_) * spec.scale, confidence=confidence, clusters=clusters
        )
    return intervals.paired_interval(
        ours_, theirs_, confidence=confidence, lo=spec.lo, hi=spec.hi, clusters=clusters
    )


def _ratio(
    spec: MetricSpec, candidate: ModelResults, baseline: ModelResults, rows: Mask, confidence: float
) -> Interval:
    if spec.family == "label":
        raise IncomparableError(
            f"'{spec.name}' is compared by difference only; write the margin without %"
        )
    ours, theirs = candidate.columns[spec.column][rows], baseline.columns[spec.column][rows]
    if spec.family == "quantile":
        # A fixed seed: judging is pure, so the same evidence has to give the same bound every time.
        return intervals.quantile_ratio_interval(
            ours,
            theirs,
            q=spec.quantile,
            confidence=confidence,
            rng=np.random.default_rng(20_260_101),
        )
    return intervals.relative_mean_interval(
        ours, theirs, confidence=confidence, clusters=_clusters(candidate, rows)
    )


def _measurement(
    spec: MetricSpec, found: Interval, ours: float | None, theirs: float | None, *, ratio: bool
) -> Measurement:
    return Measurement(
        n=found.n,
        candidate=ours,
        baseline=theirs,
        estimate=found.estimate,
        lower=found.lower,
        upper=found.upper,
        method=found.method,
        ratio=ratio,
        blocked=_floor(spec, found, ratio=ratio),
        warnings=_warnings(found),
    )


def _floor(spec: MetricSpec, found: Interval, *, ratio: bool) -> str | None:
    """Name the floor below which a method's error rate is not known, and nothing may be decided."""
    clusters = found.detail.get("clusters")
    if clusters is not None and clusters < MIN_CLUSTERS:
        return f"only {clusters:g} clusters; at least {MIN_CLUSTERS} are needed to decide"
    if spec.family == "label" and spec.statistic != "accuracy" and found.n < MIN_LABEL_CASES:
        return f"only {found.n} cases; {spec.statistic} needs at least {MIN_LABEL_CASES} to decide"
    if spec.family == "quantile":
        least = MIN_RATIO_QUANTILE_CASES if ratio else MIN_QUANTILE_CASES
        if found.n < least:
            return f"only {found.n} cases; this quantile needs at least {least} to decide"
    return None


def _warnings(found: Interval) -> tuple[str, ...]:
    clusters = found.detail.get("clusters")
    if clusters is not None and MIN_CLUSTERS <= clusters < FEW_CLUSTERS:
        return (
            f"{clusters:g} clusters are few: below {FEW_CLUSTERS} the error rate is less certain",
        )
    return ()


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
    if spec is None:
        raise IncomparableError(f"no suite measured '{check.metric}'")
    return spec


def _scored(spec: MetricSpec, results: ModelResults) -> Mask:
    if spec.family == "label":
        return np.asarray((results.labels[spec.column].predicted != UNSCORED).all(axis=1))
    return np.asarray(np.isfinite(results.columns[spec.column]))


def _point(spec: MetricSpec, results: ModelResults, rows: Mask) -> float | None:
    return estimate_rows(results, spec, rows) if rows.any() else None


def _clusters(results: ModelResults, rows: Mask) -> NDArray[np.int64] | None:
    return None if results.clusters is None else results.clusters[rows]


def _flat(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], rows: Mask
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return truth[rows].ravel(), predicted[rows].ravel()


def _repeated(
    clusters: NDArray[np.int64] | None, rows: Mask, column: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """Clusters of a flattened label column: repeats of one case belong together even without declared clusters."""
    repeats = column.shape[1]
    if clusters is not None:
        return np.repeat(clusters, repeats)
    return np.repeat(np.arange(int(rows.sum())), repeats) if repeats > 1 else None
