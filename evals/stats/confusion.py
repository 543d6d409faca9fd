"""Counts of a classification, and the metrics that follow from them.

Every metric here depends on three counts a label: hits, how often it is the truth, how often
it is predicted. So a case is left out by subtracting from three vectors, for all cases at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.stats.validation import Floats, Ints

LabelMetric = Literal["kappa", "macro_f1", "macro_precision", "macro_recall", "mcc", "weighted_f1"]


class Counts(NamedTuple):
    """Counts by label, shape (..., L): the declared labels, then one for all others.

    Counts may be fractional, and the leading axes are different versions of the same data.
    """

    hits: Floats
    truth: Floats
    predicted: Floats

    def minus(self, other: Counts) -> Counts:
        """What is left when the cases counted in `other` are taken away."""
        return Counts(
            self.hits - other.hits, self.truth - other.truth, self.predicted - other.predicted
        )

    def worsened(self, share: float) -> Counts:
        """As if this share of all cases, evenly, had been answered wrong.

        The wrong answers spread evenly over the other labels; the unnamed rest is one of
        them only if it occurs, or if there is just one declared label.
        """
        rest = bool(self.truth[..., -1].any() or self.predicted[..., -1].any())
        open_to = np.ones(self.truth.shape[-1])
        open_to[-1] = float(rest or open_to.size == 2)
        total = self.truth.sum(axis=-1, keepdims=True)
        wrong = open_to * (total - self.truth) / (open_to.sum() - 1.0)
        return Counts(
            (1.0 - share) * self.hits,
            self.truth,
            (1.0 - share) * self.predicted + share * wrong,
        )

    def improved(self, share: float) -> Counts:
        """As if this share of all cases, evenly, had been answered right."""
        return Counts(
            (1.0 - share) * self.hits + share * self.truth,
            self.truth,
            (1.0 - share) * self.predicted + share * self.truth,
        )


def encode(labels: Sequence[Hashable], items: Iterable[Hashable] | NDArray[np.generic]) -> Ints:
    """Number each item by its place in `labels`; whatever isn't in it is len(labels).

    Raises:
        ValueError: for no labels, or a label declared twice.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    if not numbers:
        raise ValueError("labels is empty: declare the labels the metric is about")
    if len(numbers) != len(labels):
        raise ValueError("labels holds a label twice")
    if isinstance(items, np.ndarray) and items.dtype == np.int64 and labels == range(len(labels)):
        codes = items.astype(np.int64)  # the items are places already
        return np.where((codes >= 0) & (codes < len(labels)), codes, len(labels))
    plain = items.tolist() if isinstance(items, np.ndarray) else items
    other = len(labels)
    return np.fromiter((numbers.get(item, other) for item in plain), dtype=np.int64)


def count(truth: Ints, predicted: Ints, size: int) -> Counts:
    """Count codes below `size`, shape (n,) each, as `encode` gives them."""
    return Counts(
        np.bincount(truth[truth == predicted], minlength=size).astype(np.float64),
        np.bincount(truth, minlength=size).astype(np.float64),
        np.bincount(predicted, minlength=size).astype(np.float64),
    )


def count_blocks(predicted: Ints, truth: Ints, size: int, block: Ints, blocks: int) -> Counts:
    """Count each block of cases apart: shape (blocks, size)."""

    def table(codes: Ints, of: Ints) -> Floats:
        flat = np.bincount(of * size + codes, minlength=blocks * size)
        return flat.reshape(blocks, size).astype(np.float64)

    right = truth == predicted
    return Counts(table(truth[right], block[right]), table(truth, block), table(predicted, block))


def label_metric(counts: Counts, metric: LabelMetric) -> Floats:
    """Compute `metric` for each leading index of `counts`, as scikit-learn defines it.

    A label that nothing is (no truth, no prediction) counts 0. MCC and kappa are 0 when one
    side knows a single label only.

    Raises:
        ValueError: for a metric that isn't one of `LabelMetric`.
    """
    if metric not in _METRICS:
        raise ValueError(f"unknown label metric {metric!r}; known are {', '.join(_METRICS)}")
    return _METRICS[metric](counts)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Numerator over denominator; 0 where the denominator is 0, up to rounding."""
    known = np.abs(denominator) > 1e-12
    ratio: Floats = np.where(known, numerator / np.where(known, denominator, 1.0), 0.0)
    return ratio


def _f1(counts: Counts) -> Floats:
    return _ratio(2.0 * counts.hits, counts.truth + counts.predicted)[..., :-1]


def _macro_f1(counts: Counts) -> Floats:
    mean: Floats = _f1(counts).mean(axis=-1)
    return mean


def _weighted_f1(counts: Counts) -> Floats:
    weights = counts.truth[..., :-1]
    return _ratio((_f1(counts) * weights).sum(axis=-1), weights.sum(axis=-1))


def _macro_precision(counts: Counts) -> Floats:
    mean: Floats = _ratio(counts.hits, counts.predicted)[..., :-1].mean(axis=-1)
    return mean


def _macro_recall(counts: Counts) -> Floats:
    mean: Floats = _ratio(counts.hits, counts.truth)[..., :-1].mean(axis=-1)
    return mean


def _mcc(counts: Counts) -> Floats:
    """Matthews' correlation for several labels (Gorodkin 2004)."""
    total, chance = _agreement_by_chance(counts)
    spread_truth = total**2 - np.square(counts.truth).sum(axis=-1)
    spread_predicted = total**2 - np.square(counts.predicted).sum(axis=-1)
    # The sums are up to n^2 large: what is left of them by rounding isn't spread.
    noise = 1e-12 * total**2
    spread = np.where(
        np.minimum(spread_truth, spread_predicted) > noise, spread_truth * spread_predicted, 0.0
    )
    return _ratio(counts.hits.sum(axis=-1) * total - chance, np.sqrt(spread))


def _kappa(counts: Counts) -> Floats:
    """Cohen's (1960) kappa."""
    total, chance = _agreement_by_chance(counts)
    return _ratio(counts.hits.sum(axis=-1) * total - chance, total**2 - chance)


def _agreement_by_chance(counts: Counts) -> tuple[Floats, Floats]:
    total: Floats = counts.truth.sum(axis=-1)
    chance: Floats = (counts.truth * counts.predicted).sum(axis=-1)
    return total, chance


_METRICS: Mapping[str, Callable[[Counts], Floats]] = {
    "kappa": _kappa,
    "macro_f1": _macro_f1,
    "macro_precision": _macro_precision,
    "macro_recall": _macro_recall,
    "mcc": _mcc,
    "weighted_f1": _weighted_f1,
}
