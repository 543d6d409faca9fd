"""One linear classifier over sparse features, quick to train on one core and quick to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression, SGDClassifier

__all__ = ["Classifier", "fit_classifier"]

SMALL_WORK = 60_000
"""Examples × classes up to which a full logistic regression is fitted; above it, stochastic descent."""


@dataclass(slots=True)
class Classifier:
    """Weights of a fitted classifier: `labels[i]` scores `x @ weights[:, i] + bias[i]`."""

    labels: list[str]
    weights: NDArray[np.float32]
    bias: NDArray[np.float64]

    def scores(self, matrix: Any) -> NDArray[np.float64]:
        """Return the log-probability of each label for the single row of `matrix`."""
        if len(self.labels) == 1:
            return np.zeros(1)
        row = matrix.data @ self.weights[matrix.indices] + self.bias
        return np.asarray(log_softmax(row), dtype=np.float64)


def fit_classifier(matrix: Any, labels: Sequence[str], seed: int) -> Classifier:
    """Fit a classifier; a single label needs none."""
    names = sorted(set(labels))
    width = matrix.shape[1]
    if len(names) == 1:
        return Classifier(names, np.zeros((width, 1), np.float32), np.zeros(1))
    model = _estimator(len(labels) * len(names), seed)
    model.fit(matrix, labels)
    weights, bias = model.coef_, model.intercept_
    if len(names) == 2:  # scikit-learn keeps one row for two classes
        weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return Classifier(
        [str(name) for name in model.classes_],
        np.ascontiguousarray(weights.T, dtype=np.float32),
        np.asarray(bias, dtype=np.float64),
    )


def _estimator(work: int, seed: int) -> Any:
    if work <= SMALL_WORK:
        return LogisticRegression(C=20.0, max_iter=300, class_weight="balanced", random_state=seed)
    return SGDClassifier(
        loss="log_loss", alpha=1e-6, max_iter=12, tol=None, random_state=seed, n_jobs=1
    )
