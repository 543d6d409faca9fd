"""Label metrics by scikit-learn, with fixed labels: the metric of a sample without one label is not another metric."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["label_score"]

Codes = NDArray[np.int64]

_AVERAGED = {
    "macro_f1": ("f1_score", "macro"),
    "weighted_f1": ("f1_score", "weighted"),
    "macro_precision": ("precision_score", "macro"),
    "macro_recall": ("recall_score", "macro"),
}


def label_score(statistic: str, truth: Codes, predicted: Codes, labels: int) -> float | None:
    """Return a label metric of codes in [0, labels), a prediction below 0 being none of them.

    A label that nobody predicted, or that never is the truth, counts 0. For `mcc` and `kappa` the invalid answer is a class of
    its own; both are None where only one truth occurs. Raises KeyError for an unknown statistic.
    """
    # scikit-learn takes a second to import, and a run without label metrics has to start fast.
    from sklearn import metrics

    if statistic in ("mcc", "kappa"):
        return _correlation(metrics, statistic, truth, predicted)
    name, average = _AVERAGED[statistic]
    score = getattr(metrics, name)
    value = score(truth, predicted, labels=list(range(labels)), average=average, zero_division=0)
    return float(value) if math.isfinite(value) else None


def _correlation(metrics: Any, statistic: str, truth: Codes, predicted: Codes) -> float | None:
    if np.unique(truth).size < 2:
        return None
    score = metrics.matthews_corrcoef if statistic == "mcc" else metrics.cohen_kappa_score
    value = float(score(truth, predicted))
    return value if math.isfinite(value) else None
