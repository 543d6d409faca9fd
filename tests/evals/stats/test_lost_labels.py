"""The wrong labels that lower a metric most, against all that could be tried."""

from __future__ import annotations

from itertools import product
from typing import get_args

import numpy as np
import pytest

from evals.stats.confusion import LabelMetric, count, label_metric
from evals.stats.lost_labels import highest_value, lowest_value, worst_labels

METRICS = get_args(LabelMetric)
LABELS, MISSING = 3, 4
OTHER = LABELS


def tables(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth and answers of a small table, good or bad, and the truths of the missing answers."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 14))
    truth = rng.integers(0, LABELS, n)
    truth[:2] = 0, 1  # two labels at least
    right = rng.random(n) < rng.choice([0.2, 0.6, 0.9])
    said = np.where(right, truth, rng.integers(0, LABELS + 1, n))
    return truth, said, rng.integers(0, LABELS, MISSING)


def tried(
    metric: LabelMetric, truth: np.ndarray, said: np.ndarray, missing: np.ndarray
) -> np.ndarray:
    """The metric for every way to fill in the missing answers, right or wrong."""
    whole = np.concatenate([truth, missing])
    return np.array(
        [
            float(label_metric(count(whole, np.concatenate([said, filling]), LABELS + 1), metric))
            for filling in product(range(LABELS + 1), repeat=missing.size)
        ]
    )


@pytest.mark.parametrize("metric", METRICS)
def test_no_filling_lies_beyond_the_limits(metric: LabelMetric) -> None:
    for seed in range(25):
        truth, said, missing = tables(seed)
        known = count(truth, said, LABELS + 1)
        values = tried(metric, truth, said, missing)
        assert lowest_value(known, missing, metric) <= values.min() + 1e-12
        assert highest_value(known, missing, metric) >= values.max() - 1e-12


@pytest.mark.parametrize("metric", [metric for metric in METRICS if metric != "mcc"])
def test_the_wrong_labels_chosen_are_the_worst_of_all(metric: LabelMetric) -> None:
    for seed in range(25):
        truth, said, missing = tables(seed)
        answers = worst_labels(count(truth, said, LABELS + 1), missing, metric)
        assert (answers != missing).all()
        filled = count(
            np.concatenate([truth, missing]), np.concatenate([said, answers]), LABELS + 1
        )
        found = float(label_metric(filled, metric))
        assert found == pytest.approx(tried(metric, truth, said, missing).min(), abs=1e-12)


def test_the_bound_of_mcc_is_close_where_little_is_missing() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, LABELS, 300)
    said = np.where(rng.random(300) < 0.8, truth, rng.integers(0, LABELS, 300))
    missing = np.array([0, 1, 2])
    known = count(truth, said, LABELS + 1)
    values = tried("mcc", truth, said, missing)
    assert values.min() - lowest_value(known, missing, "mcc") < 0.005
    assert highest_value(known, missing, "mcc") - values.max() < 0.005


def test_labels_that_leave_hardly_a_choice_are_dealt_out_all_the_same() -> None:
    known = count(np.array([0] * 9 + [1]), np.array([0] * 9 + [1]), 3)
    missing = np.array([0, 0, 0, 1])
    answers = worst_labels(known, missing, "macro_f1")
    assert (answers != missing).all()
