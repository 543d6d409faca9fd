"""Metrics: what a column of scores comes to. Point estimates only; their intervals are the affair of `evals.stats`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evals.errors import ConfigurationError, Problem, nearest
from evals.graders.base import LABEL_STATISTICS
from evals.metrics.measured_columns import BUILT_IN_COLUMNS
from evals.metrics.results import INVALID, UNSCORED, LabelColumn, ModelResults
from evals.records import Role, SuiteResult
from evals.stats.confusion import count, encode, label_metric
from evals.suites.opened import OpenedSuite

__all__ = [
    "MetricSpec",
    "available_metrics",
    "confusion",
    "estimate",
    "metric_kind",
    "metric_spec",
    "names_of",
    "summarise",
]

Family = Literal["mean", "label", "quantile", "cost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """How a metric is computed and judged.

    `column` names the column (a label column for the family "label"); `statistic` is "mean", "quantile" or a label
    metric as `evals.stats` calls it; `quantile` is in (0, 1); values lie in [lo, hi] and are bounded when both are
    finite; a mean is multiplied by `scale` (cost per 1,000 answers).
    """

    name: str
    family: Family
    column: str
    statistic: Any = "mean"
    quantile: float = math.nan
    higher_is_better: bool = True
    lo: float = 0.0
    hi: float = 1.0
    scale: float = 1.0

    @property
    def bounded(self) -> bool:
        """True when single values have a lowest and a highest possible one."""
        return math.isfinite(self.lo) and math.isfinite(self.hi)


def _unbounded(name: str, family: Family, column: str, **more: Any) -> MetricSpec:
    return MetricSpec(
        name=name, family=family, column=column, higher_is_better=False, hi=math.inf, **more
    )


_BUILT_IN: dict[str, MetricSpec] = {
    spec.name: spec
    for spec in (
        _unbounded("latency_mean_ms", "mean", "latency_ms"),
        _unbounded("latency_p50_ms", "quantile", "latency_ms", statistic="quantile", quantile=0.5),
        _unbounded("latency_p95_ms", "quantile", "latency_ms", statistic="quantile", quantile=0.95),
        _unbounded("cost_usd_per_1k", "cost", "cost_usd", scale=1000.0),
        _unbounded("prompt_tokens_mean", "mean", "prompt_tokens"),
        _unbounded("completion_tokens_mean", "mean", "completion_tokens"),
        MetricSpec(name="answered", family="mean", column="answered"),
        MetricSpec(name="refusal_rate", family="mean", column="refused", higher_is_better=False),
        MetricSpec(
            name="truncation_rate", family="mean", column="truncated", higher_is_better=False
        ),
        MetricSpec(
            name="content_filter_rate",
            family="mean",
            column="content_filtered",
            higher_is_better=False,
        ),
    )
}

_STATISTICS = {"precision": "macro_precision", "recall": "macro_recall"}
_SIGNED = frozenset({"mcc", "kappa"})


def available_metrics(opened: OpenedSuite) -> tuple[str, ...]:
    """Return the names of all metrics of a suite, sorted: the graders' and the built-in ones."""
    names = {name for grader in opened.graders for name in grader.metrics()}
    return tuple(sorted(names | set(_BUILT_IN)))


def metric_kind(name: str, opened: OpenedSuite) -> MetricSpec:
    """Return how a metric of a suite is computed. Raises ConfigurationError with the nearest name when it has none."""
    columns = [column for grader in opened.graders for column in grader.columns()]
    values = [column.name for column in columns if column.kind == "value"]
    labels = [column.name for column in columns if column.kind == "label"]
    found = _spec(name, [*values, *(f"{label}.accuracy" for label in labels)], labels)
    if found is None:
        raise ConfigurationError(
            Problem(
                where=opened.suite.name,
                field=name,
                message=f"the suite has no metric '{name}'",
                fix=nearest(name, available_metrics(opened)),
            )
        )
    return found


def metric_spec(name: str, results: ModelResults) -> MetricSpec | None:
    """Return how a metric is computed from these results, None when they don't hold it."""
    return _spec(name, results.columns, results.labels)


def names_of(results: ModelResults) -> tuple[str, ...]:
    """Return the names of all metrics that the results hold, sorted."""
    names = {name for name, spec in _BUILT_IN.items() if spec.column in results.columns}
    names |= {name for name in results.columns if name not in BUILT_IN_COLUMNS}
    names |= {f"{label}.{part}" for label in results.labels for part in LABEL_STATISTICS}
    return tuple(sorted(names))


def estimate(results: ModelResults, metric: str) -> float | None:
    """Return the point estimate of a metric over the planned cases; None when nothing was measured or it is undefined.

    Raises:
        ConfigurationError: the results hold no such metric.
    """
    spec = metric_spec(metric, results)
    if spec is None:
        fix = nearest(metric, names_of(results))
        raise ConfigurationError(
            Problem(where=results.suite, field=metric, message="no such metric", fix=fix)
        )
    return estimate_rows(results, spec, results.planned)


def estimate_rows(results: ModelResults, spec: MetricSpec, rows: NDArray[np.bool_]) -> float | None:
    """Return the point estimate over some cases, given as a mask of shape (cases,)."""
    if spec.family == "label":
        return _label_estimate(results.labels[spec.column], spec.statistic, rows)
    values = results.columns[spec.column][rows]
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None
    if spec.family == "quantile":
        return float(np.quantile(values, spec.quantile)) * spec.scale
    return float(np.mean(values)) * spec.scale


def confusion(results: ModelResults, grader: str) -> NDArray[np.int64]:
    """Return counts of shape (labels, labels + 1): rows are truths, columns predictions, the last one invalid answers."""
    column = results.labels[grader]
    truth, predicted = _answered(column, results.planned)
    size = len(column.labels)
    counts = np.zeros((size, size + 1), dtype=np.int64)
    np.add.at(counts, (truth, np.where(predicted == INVALID, size, predicted)), 1)
    return counts


def summarise(run_id: str, role: Role, results: ModelResults) -> SuiteResult:
    """Return the summary of a model's results that the registry keeps."""
    return SuiteResult(
        run_id=run_id,
        role=role,
        model_id=results.model_id,
        suite=results.suite,
        suite_fingerprint=results.fingerprint,
        grader_versions=dict(results.grader_versions),
        planned=results.counts.get("planned", int(results.planned.sum())),
        answered=results.counts.get("answered", 0),
        scored=results.counts.get("scored", 0),
        errored=results.counts.get("errored", 0),
        outcomes=dict(results.outcomes),
        metrics={name: estimate(results, name) for name in names_of(results)},
        evidence_digest=results.evidence_digest,
    )


def _spec(name: str, columns: Any, labels: Any) -> MetricSpec | None:
    built_in = _BUILT_IN.get(name)
    if built_in is not None:
        return built_in
    label, _, part = name.rpartition(".")
    if label in labels and part in LABEL_STATISTICS:
        return MetricSpec(
            name=name,
            family="label",
            column=label,
            statistic=_STATISTICS.get(part, part),
            lo=-1.0 if part in _SIGNED else 0.0,
        )
    if name in columns and name not in BUILT_IN_COLUMNS:
        return MetricSpec(name=name, family="mean", column=name)
    return None


def _answered(
    column: LabelColumn, rows: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    truth, predicted = column.truth[rows].ravel(), column.predicted[rows].ravel()
    scored = predicted != UNSCORED
    return truth[scored], predicted[scored]


def _label_estimate(column: LabelColumn, statistic: Any, rows: NDArray[np.bool_]) -> float | None:
    truth, predicted = _answered(column, rows)
    # Of answers with one true label only, a correlation says nothing.
    if truth.size == 0 or (statistic in _SIGNED and np.unique(truth).size < 2):
        return None
    labels = range(len(column.labels))
    counts = count(encode(labels, truth), encode(labels, predicted), len(labels) + 1)
    return float(label_metric(counts, statistic))
