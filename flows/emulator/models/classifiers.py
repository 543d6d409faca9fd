"""One linear classifier over sparse features, quick to train on one core and quick to ask.

Up to a few thousand examples it is a ridge classifier solved in the space of the examples: the kernel is shared by all
fields, one solve each, and the leave-one-out scores that fall out of the solution set the temperature of the
probabilities. Above that, stochastic gradient descent on the logistic loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import inv
from scipy.special import log_softmax
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import SGDClassifier

from flows.emulator.models.features import SparseRow

__all__ = ["Classifier", "Fitter"]

KERNEL_EXAMPLES = 3_000
"""Examples up to which the kernel is used: its cost grows with the third power."""

_RIDGE = 1.0
_BALANCE = 0.5
"""Classes are weighted by (1 / frequency) ** _BALANCE: half-way between as they are and all alike."""

_TEMPERATURES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)
Floats = NDArray[np.float64]


@dataclass(slots=True)
class Classifier:
    """Weights of a fitted classifier: `labels[i]` scores `x @ weights[:, i] + bias[i]`."""

    labels: list[str]
    weights: NDArray[np.float32]
    bias: Floats

    def scores(self, row: SparseRow) -> Floats:
        """Return the log-probability of each label for one sparse row."""
        if len(self.labels) == 1:
            return np.zeros(1)
        raw = row.values @ self.weights[row.indices] + self.bias
        raw -= raw.max()
        return np.asarray(raw - np.log(np.exp(raw).sum()), dtype=np.float64)


class Fitter:
    """Fits classifiers for several columns of labels on the same rows."""

    def __init__(self, matrix: Any, seed: int) -> None:
        self._matrix, self._seed = matrix, seed
        small = matrix.shape[0] <= KERNEL_EXAMPLES
        self._kernel: Floats | None = (matrix @ matrix.T).toarray() + 1.0 if small else None

    def fit(self, labels: Sequence[str]) -> Classifier:
        """Fit a classifier for one column of labels; a single label needs none."""
        names = sorted(set(labels))
        if len(names) == 1:
            width = self._matrix.shape[1]
            return Classifier(names, np.zeros((width, 1), np.float32), np.zeros(1))
        if self._kernel is None:
            return self._descend(names, labels)
        return self._ridge(self._kernel, names, labels)

    def _ridge(self, kernel: Floats, names: list[str], labels: Sequence[str]) -> Classifier:
        place = {name: number for number, name in enumerate(names)}
        truth = np.array([place[label] for label in labels])
        weight = (len(truth) / (len(names) * np.bincount(truth))) ** _BALANCE
        wanted = -np.ones((len(truth), len(names)))
        wanted[np.arange(len(truth)), truth] = 1.0
        model = KernelRidge(alpha=_RIDGE, kernel="precomputed")
        model.fit(kernel, wanted, sample_weight=weight[truth])
        dual: Floats = model.dual_coef_
        inverse = np.diag(inv(kernel + np.diag(_RIDGE / weight[truth])))
        scale = _temperature(wanted - dual / inverse[:, None], truth)
        weights = (self._matrix.T @ dual) * scale
        return Classifier(names, np.asarray(weights, dtype=np.float32), dual.sum(axis=0) * scale)

    def _descend(self, names: list[str], labels: Sequence[str]) -> Classifier:
        model = SGDClassifier(
            loss="log_loss", alpha=1e-6, max_iter=6, tol=None, random_state=self._seed
        )
        model.fit(self._matrix, labels)
        weights, bias = model.coef_, model.intercept_
        if len(names) == 2:  # scikit-learn keeps one row for two classes
            weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
        return Classifier(
            names, np.ascontiguousarray(weights.T, dtype=np.float32), np.asarray(bias)
        )


def _temperature(left_out: Floats, truth: NDArray[np.int64]) -> float:
    """Return the factor with which leave-one-out scores make the likeliest probabilities."""
    rows = np.arange(len(truth))
    losses = {
        scale: -log_softmax(scale * left_out, axis=1)[rows, truth].mean() for scale in _TEMPERATURES
    }
    return min(losses, key=lambda scale: losses[scale])
