"""Which method of `evals.stats` measures which family of metric."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from evals.errors import GatewrightError
from evals.metrics.estimates import MetricSpec
from evals.metrics.results import ModelResults
from evals.stats import label_metrics, score_intervals, unbounded
from evals.stats.bounded import bounded_score_bounds
from evals.stats.clusters import cluster_detail, cluster_freedom, design_effect
from evals.stats.interval import Interval
from evals.stats.validation import cluster_codes, t_critical

__all__ = [
    "DRAWS",
    "IncomparableError",
    "absolute_interval_of",
    "difference_of",
    "ratio_of",
]

DRAWS = 2000

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class IncomparableError(GatewrightError):
    """The evidence can't be measured or compared; the check is an ERROR and never a pass."""


def absolute_interval_of(
    spec: MetricSpec, results: ModelResults, rows: Mask, confidence: float
) -> Interval:
    """Interval of one model's metric over some cases, in the metric's unit; each bound at `confidence`."""
    clusters = _clusters(results, rows)
    if spec.family == "label":
        return _label(spec, results, None, rows, confidence)
    values = results.columns[spec.column][rows]
    if spec.family == "quantile":
        return unbounded.quantile_interval(
            values * spec.scale, q=spec.quantile, confidence=confidence
        )
    if spec.bounded:
        return score_intervals.absolute_interval(
            values, confidence=confidence, lo=spec.lo, hi=spec.hi, clusters=clusters
        )
    return unbounded.mean_interval(values * spec.scale, confidence=confidence, clusters=clusters)


def difference_of(
    spec: MetricSpec, candidate: ModelResults, baseline: ModelResults, rows: Mask, confidence: float
) -> Interval:
    """Interval of candidate - baseline over the same cases. Raises IncomparableError for quantiles."""
    if spec.family == "label":
        return _label(spec, candidate, baseline, rows, confidence)
    if spec.family == "quantile":
        raise IncomparableError(
            f"'{spec.name}' is compared as a ratio only; write the margin with a % sign"
        )
    clusters = _clusters(candidate, rows)
    new, old = candidate.columns[spec.column][rows], baseline.columns[spec.column][rows]
    if not spec.bounded:
        return unbounded.mean_interval(
            (new - old) * spec.scale, confidence=confidence, clusters=clusters
        )
    return score_intervals.paired_interval(
        new, old, confidence=confidence, lo=spec.lo, hi=spec.hi, clusters=clusters
    )


def ratio_of(
    spec: MetricSpec, candidate: ModelResults, baseline: ModelResults, rows: Mask, confidence: float
) -> Interval:
    """Interval of candidate / baseline over the same cases. Raises IncomparableError for label metrics."""
    if spec.family == "label":
        raise IncomparableError(
            f"'{spec.name}' is compared by difference only; write the margin without %"
        )
    clusters = _clusters(candidate, rows)
    new, old = candidate.columns[spec.column][rows], baseline.columns[spec.column][rows]
    if spec.family == "quantile":
        # A fixed seed: judging is pure, so the same evidence has to give the same bound every time.
        return unbounded.quantile_ratio_interval(
            new,
            old,
            q=spec.quantile,
            confidence=confidence,
            rng=np.random.default_rng(20_260_101),
            draws=DRAWS,
        )
    if spec.bounded:
        return _bounded_ratio(spec, new, old, clusters, confidence)
    return unbounded.relative_mean_interval(new, old, confidence=confidence, clusters=clusters)


def _label(
    spec: MetricSpec,
    candidate: ModelResults,
    baseline: ModelResults | None,
    rows: Mask,
    confidence: float,
) -> Interval:
    new = candidate.labels[spec.column]
    old = None
    if baseline is not None:
        column = baseline.labels[spec.column]
        if column.labels != new.labels or not np.array_equal(
            column.truth[rows, 0], new.truth[rows, 0]
        ):
            raise IncomparableError(f"the true labels of '{spec.column}' differ between the models")
        old = column.predicted[rows]
        if old.shape != new.predicted[rows].shape:
            raise IncomparableError("the models were not asked equally often")
    return label_metrics.label_metric_interval(
        new.truth[rows].ravel(),
        new.predicted[rows].ravel(),
        labels=range(len(new.labels)),
        metric=spec.statistic,
        confidence=confidence,
        baseline=None if old is None else old.ravel(),
        clusters=_repeated(_clusters(candidate, rows), rows, new.truth.shape[1]),
    )


def _bounded_ratio(
    spec: MetricSpec, new: Floats, old: Floats, clusters: Codes | None, confidence: float
) -> Interval:
    """Ratio of two paired means of scores in [0, hi]: where the bounded score of R * baseline - candidate turns.

    Fieller's t would do for amounts; scores near their ends need the bounded score, or nothing ever having gone wrong
    would give an interval of width 0.
    """
    if spec.lo != 0.0:
        raise IncomparableError(f"'{spec.name}' may be negative: write the margin without %")
    if not old.any():
        raise ValueError("baseline is 0 everywhere: a ratio to it is undefined")

    def bounds(ratio: float) -> tuple[float, float]:
        return _contrast(new - ratio * old, ratio, spec.hi, clusters, confidence)

    top = max(4.0, 4.0 * float(new.mean() / old.mean()))
    lower = _crossing(lambda ratio: bounds(ratio)[0], top)
    upper = _crossing(lambda ratio: bounds(ratio)[1], top)
    detail: dict[str, float] = {}
    if clusters is not None:
        detail = cluster_detail(cluster_codes(clusters, new.size)[0])
    return Interval(
        lower=0.0 if lower is None else lower,
        upper=math.inf if upper is None else upper,
        estimate=float(new.mean() / old.mean()),
        n=new.size,
        method="bounded-score-ratio" + ("-clusters" if clusters is not None else ""),
        confidence=confidence,
        detail=detail,
    )


def _contrast(
    values: Floats, ratio: float, hi: float, clusters: Codes | None, confidence: float
) -> tuple[float, float]:
    effect, critical = 1.0, math.inf if values.size == 1 else None
    if clusters is not None:
        codes, _ = cluster_codes(clusters, values.size)
        effect = design_effect(values, codes)
        critical = t_critical(confidence, cluster_freedom(codes))
    return bounded_score_bounds(
        values,
        confidence=confidence,
        lo=-ratio * hi,
        hi=hi,
        design_effect=effect,
        critical=critical,
    )


def _crossing(falling: Callable[[float], float], top: float) -> float | None:
    """Where a falling function of the ratio turns negative; None when it never does below `top`."""
    if falling(1e-9) <= 0.0:
        return 0.0
    if falling(top) > 0.0:
        return None
    return float(optimize.brentq(falling, 1e-9, top, xtol=1e-7))


def _clusters(results: ModelResults, rows: Mask) -> Codes | None:
    return None if results.clusters is None else results.clusters[rows]


def _repeated(clusters: Codes | None, rows: Mask, repeats: int) -> Codes | None:
    """Clusters of a flattened label column: repeats of one case belong together even without declared clusters."""
    if clusters is not None:
        return np.repeat(clusters, repeats)
    return np.repeat(np.arange(int(rows.sum())), repeats) if repeats > 1 else None
