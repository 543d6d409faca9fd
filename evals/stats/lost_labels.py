"""Answers that never came, in macro-F1 and kin: the wrong labels that lower a metric most, and the lowest that it can be.

A missing answer of truth t is given any label but t. Hits and truths are then settled, and only the number of predictions of
each label is free: k of them are added to label l, with sum k = m and k_l at most m less the missing answers whose truth is l
(Hall 1935: then they can be dealt out without one being right).

- Macro-F1, weighted F1 and macro-precision are sums over the labels of w h / (d + k): each falls, and the more slowly the larger k
  is (convex). Then giving one answer after the other to the label that it lowers most is best of all (Gross 1956; Fox 1966;
  with a cap on each k as well: Federgruen & Groenevelt 1986).
- Macro-recall does not depend on k at all.
- Kappa is (H n - C) / (n^2 - C) with C the sum of truth times predicted counts, and falls with C: every answer gets the most frequent
  label but its own, which is exact. MCC is (H n - C) over a root that moves with k, too. Its numerator and the root are bounded
  apart, so that the lowest value is a safe bound, and no more than that.

At its best a missing answer is right. Kappa could be higher with some of them wrong only if it were negative even so.
"""

from __future__ import annotations

import heapq
import math

import numpy as np

from evals.stats.confusion import Counts, LabelMetric, count, label_metric
from evals.stats.validation import Floats, Ints

__all__ = ["highest_value", "lowest_value", "worst_labels"]


def worst_labels(known: Counts, truths: Ints, metric: LabelMetric) -> Ints:
    """Return a wrong label for each missing answer, so that together they lower the metric as far as they can.

    Args:
        known: counts of the answers that are there; the last label stands for all that is none.
        truths: shape (m,): codes of the true labels of those that are missing.
        metric: which metric.

    Returns:
        codes, shape (m,), none of them equal to its truth. For MCC those that raise agreement by chance most.
    """
    size = known.truth.size
    other = np.full(truths.size, size - 1, dtype=np.int64)
    if truths.size == 0 or metric == "macro_recall":
        return other
    totals = known.truth + np.bincount(truths, minlength=size)
    if metric in ("kappa", "mcc"):
        first, second = np.argsort(-totals, kind="stable")[:2]
        return np.asarray(np.where(truths == first, second, first), dtype=np.int64)
    added = _spread(known, totals, truths, metric)
    return _dealt(truths, added)


def lowest_value(known: Counts, truths: Ints, metric: LabelMetric) -> float:
    """Return what a metric can't be below, whatever the missing answers were. Arguments as `worst_labels`."""
    if metric == "mcc":
        return _mcc_bound(known, truths, best=False)
    answers = worst_labels(known, truths, metric)
    return float(label_metric(_with(known, truths, answers), metric))


def highest_value(known: Counts, truths: Ints, metric: LabelMetric) -> float:
    """Return what a metric can't be above, whatever the missing answers were. Arguments as `worst_labels`."""
    if metric == "mcc" and truths.size:
        return _mcc_bound(known, truths, best=True)
    value = float(label_metric(_with(known, truths, truths), metric))
    return max(value, 0.0) if metric == "kappa" and truths.size else value


def _with(known: Counts, truths: Ints, answers: Ints) -> Counts:
    more = count(truths, answers, known.truth.size)
    return Counts(
        known.hits + more.hits, known.truth + more.truth, known.predicted + more.predicted
    )


def _spread(known: Counts, totals: Floats, truths: Ints, metric: LabelMetric) -> Ints:
    """How many of the missing answers each label gets: one after the other to where it costs most."""
    size = known.truth.size
    weights = totals[:-1] if metric == "weighted_f1" else np.ones(size - 1)
    precision = metric == "macro_precision"
    gains = weights * known.hits[:-1] * (1.0 if precision else 2.0)
    bases = known.predicted[:-1] + (0.0 if precision else totals[:-1])
    room = truths.size - np.bincount(truths, minlength=size)
    added = np.zeros(size, dtype=np.int64)

    def fall(label: int) -> float:
        base = bases[label] + added[label]
        return float(gains[label] / (base * (base + 1.0)))

    queue = [
        (-fall(label), label) for label in range(size - 1) if gains[label] > 0 and room[label] > 0
    ]
    heapq.heapify(queue)
    for _ in range(truths.size):
        if not queue:
            break
        label = heapq.heappop(queue)[1]
        added[label] += 1
        if added[label] < room[label]:
            heapq.heappush(queue, (-fall(label), label))
    added[-1] = truths.size - added[:-1].sum()
    return added


def _dealt(truths: Ints, added: Ints) -> Ints:
    """Deal labels out to answers so that none gets its own truth: the label with the least choice left goes first."""
    size = added.size
    labels = np.arange(size)
    left, lacking = added.copy(), np.bincount(truths, minlength=size)
    places = [list(np.flatnonzero(truths == label)) for label in labels]
    answers = np.empty(truths.size, dtype=np.int64)
    for _ in range(truths.size):
        tight = int(np.argmax(left + lacking))
        if lacking[tight]:
            truth = tight
            label = _tightest(left, lacking, (left > 0) & (labels != truth))
        else:
            label = tight
            truth = _tightest(left, lacking, (lacking > 0) & (labels != label))
        answers[places[truth].pop()] = label
        left[label] -= 1
        lacking[truth] -= 1
    return answers


def _tightest(left: Ints, lacking: Ints, among: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    return int(np.argmax(np.where(among, left + lacking, -1)))


def _mcc_bound(known: Counts, truths: Ints, *, best: bool) -> float:
    """Numerator and root of MCC at their ends, each by itself."""
    missing = truths.size
    totals = known.truth + np.bincount(truths, minlength=known.truth.size)
    answers = truths if best else worst_labels(known, truths, "mcc")
    filled = _with(known, truths, answers)
    n = float(totals.sum())
    chance = float((totals * filled.predicted).sum())
    above = float(filled.hits.sum()) * n - chance
    # Predictions may lie as evenly as they can, or all on the most frequent one.
    squares = float(np.square(known.predicted).sum())
    even = squares + 2.0 * missing * float(known.predicted.min()) + missing**2 / totals.size
    heaped = squares + 2.0 * missing * float(known.predicted.max()) + missing**2
    widest = (above >= 0.0) != best
    spread = (n**2 - float(np.square(totals).sum())) * max(0.0, n**2 - (even if widest else heaped))
    if spread <= 1e-12 * n**4:
        return math.copysign(1.0, above) if above else 0.0
    return max(-1.0, min(1.0, above / math.sqrt(spread)))
