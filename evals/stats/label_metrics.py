"""Intervals for macro-F1 and kin: the jackknife, kept from ever having width 0."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from evals.stats import jackknife
from evals.stats.clusters import cluster_detail, cluster_freedom, design_effect, uneven_effect
from evals.stats.confusion import Counts, LabelMetric, encode, label_metric
from evals.stats.interval import Interval
from evals.stats.validation import Clusters, cluster_codes, same_length, t_critical, tail

Labels: TypeAlias = Sequence[Hashable] | NDArray[np.generic]


def label_metric_interval(
    truth: Labels,
    predicted: Labels,
    *,
    labels: Sequence[Hashable],
    metric: LabelMetric,
    confidence: float = 0.95,
    baseline: Labels | None = None,
    clusters: Clusters | None = None,
) -> Interval:
    """Interval of a label metric, or of candidate minus baseline, with t bounds.

    The standard error is the delete-one jackknife's (with clusters the larger of that and
    delete-a-cluster, and more where they differ much in size). It is 0 when all answers are right, or both models answer alike. So
    each bound is moved out at least to where the metric would be if a share q^2 / (n + q^2)
    of the cases had gone the other way: the weight which the bounded score test leaves on
    the end point.

    Args:
        truth: n labels; for MCC and kappa at least two different ones, all declared.
        predicted: the candidate's n labels; anything undeclared is simply wrong.
        labels: the labels the metric is about. Fixed, so that what is estimated doesn't
            change with the sample; one that never occurs counts 0.
        metric: ``"macro_f1"``, ``"weighted_f1"``, ``"macro_precision"``, ``"macro_recall"``,
            ``"mcc"`` or ``"kappa"``.
        confidence: of each bound alone.
        baseline: the baseline's n labels; then the interval is of the difference.
        clusters: a label for each case.

    Returns:
        an Interval; detail has ``se``, ``df`` and, with clusters, ``design_effect`` and what `cluster_detail` gives.

    Raises:
        ValueError: for empty columns, columns of different length, unknown metrics, labels
            declared twice, or a metric that isn't defined on these cases.
    """
    answers = _answers(truth, predicted, baseline, labels)
    tail(confidence)
    _require_defined(answers, metric)
    candidate, old = answers.counts()
    estimate = float(label_metric(candidate, metric))
    if old is not None:
        estimate -= float(label_metric(old, metric))
    lo, hi = _range(metric, paired=old is not None)
    spread, detail = _spread(answers, metric, clusters)
    if spread is None:
        lower, upper = lo, hi
    else:
        critical = t_critical(confidence, spread.df)
        cases = answers.truth.size / detail.get("design_effect", 1.0)
        low, high = _at_least(candidate, old, metric, critical**2 / (cases + critical**2))
        lower = max(lo, min(estimate - critical * spread.se, low))
        upper = min(hi, max(estimate + critical * spread.se, high))
    return Interval(
        lower=lower,
        upper=upper,
        estimate=estimate,
        n=answers.truth.size,
        method="jackknife" if clusters is None else "jackknife-clusters",
        confidence=confidence,
        detail=detail,
    )


def _answers(
    truth: Labels, predicted: Labels, baseline: Labels | None, labels: Sequence[Hashable]
) -> jackknife.Answers:
    if len(truth) == 0:
        raise ValueError("truth is empty")
    same_length("truth", len(truth), "predicted", len(predicted))
    if baseline is not None:
        same_length("truth", len(truth), "baseline", len(baseline))
    return jackknife.Answers(
        truth=encode(labels, truth),
        candidate=encode(labels, predicted),
        baseline=None if baseline is None else encode(labels, baseline),
        size=len(labels) + 1,
    )


def _require_defined(answers: jackknife.Answers, metric: LabelMetric) -> None:
    """Refuse data on which the metric says nothing, instead of calling it 0 and unchanged."""
    seen = np.unique(answers.truth)
    if metric in ("mcc", "kappa"):
        if seen[-1] == answers.size - 1:
            raise ValueError(f"{metric} needs every true label to be declared in labels")
        if seen.size < 2:
            raise ValueError(f"{metric} is undefined: truth holds a single label")
    elif seen[0] == answers.size - 1:
        raise ValueError(f"{metric} is undefined: no case has any of the declared labels")


def _range(metric: LabelMetric, *, paired: bool) -> tuple[float, float]:
    lo = -1.0 if metric in ("mcc", "kappa") else 0.0
    return (lo - 1.0, 1.0 - lo) if paired else (lo, 1.0)


def _spread(
    answers: jackknife.Answers, metric: LabelMetric, clusters: Clusters | None
) -> tuple[jackknife.JackknifeError | None, dict[str, float]]:
    """Jackknife standard error (None: nothing to leave out) and what to say about it."""
    n = answers.truth.size
    alone = jackknife.delete_one(answers, metric) if n > 1 else None
    if clusters is None or alone is None:
        return alone, {} if alone is None else {"se": alone.se, "df": float(alone.df)}
    codes, groups = cluster_codes(clusters, n)
    detail = cluster_detail(codes)
    if groups < 2:
        return None, detail
    joint = jackknife.delete_clusters(answers, metric, codes)
    # Cases that went right or wrong together; the candidate's, or both models'.
    right = (answers.candidate == answers.truth).astype(np.float64)
    if answers.baseline is not None:
        right -= answers.baseline == answers.truth
    se = max(alone.se, joint.se) * math.sqrt(uneven_effect(right, codes))
    spread = jackknife.JackknifeError(se, cluster_freedom(codes))
    return spread, detail | {
        "se": se,
        "df": spread.df,
        "design_effect": design_effect(right, codes),
    }


def _at_least(
    candidate: Counts, baseline: Counts | None, metric: LabelMetric, share: float
) -> tuple[float, float]:
    """Where the bounds are at the least, if this share of the cases went the other way."""
    if baseline is None:
        low = label_metric(candidate.worsened(share), metric)
        return float(low), float(label_metric(candidate.improved(share), metric))
    new, old = label_metric(candidate, metric), label_metric(baseline, metric)
    low = label_metric(candidate.worsened(share), metric) - old
    return float(low), float(new - label_metric(baseline.worsened(share), metric))
