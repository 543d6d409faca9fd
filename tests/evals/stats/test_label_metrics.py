"""Macro-F1 and kin agree with scikit-learn, left out case by case the slow way."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from evals.stats.confusion import count, encode, label_metric
from evals.stats.jackknife import (
    Answers,
    delete_blocks,
    delete_one,
    jackknife_spread,
)
from evals.stats.label_metrics import label_metric_interval

LABELS = ["bill", "bug", "refund", "never"]
METRICS = ["kappa", "macro_f1", "macro_precision", "macro_recall", "mcc", "weighted_f1"]

Columns = tuple[list[str], list[str], list[str]]


def by_sklearn(truth: list[str], predicted: list[str], metric: str) -> float:
    average = {"labels": LABELS, "average": "macro", "zero_division": 0}
    scorers = {
        "kappa": lambda: metrics.cohen_kappa_score(truth, predicted),
        "macro_f1": lambda: metrics.f1_score(truth, predicted, **average),
        "macro_precision": lambda: metrics.precision_score(truth, predicted, **average),
        "macro_recall": lambda: metrics.recall_score(truth, predicted, **average),
        "mcc": lambda: metrics.matthews_corrcoef(truth, predicted),
        "weighted_f1": lambda: metrics.f1_score(
            truth, predicted, **(average | {"average": "weighted"})
        ),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(scorers[metric]())


def answers(seed: int, n: int = 60, right: float = 0.8) -> Columns:
    rng = np.random.default_rng(seed)
    truth = rng.choice(LABELS[:3], size=n, p=[0.6, 0.3, 0.1])
    models = [
        np.where(rng.random(n) < right, truth, rng.choice([*LABELS[:3], "{}"], size=n))
        for _ in range(2)
    ]
    return truth.tolist(), models[0].tolist(), models[1].tolist()


def coded(columns: Columns) -> Answers:
    truth, new, old = (encode(LABELS, column) for column in columns)
    return Answers(truth, new, old, len(LABELS) + 1)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(4))
def test_the_metric_is_scikit_learns(metric: str, seed: int) -> None:
    truth, new, _ = answers(seed)
    found = label_metric(
        count(encode(LABELS, truth), encode(LABELS, new), len(LABELS) + 1),
        metric,  # type: ignore[arg-type]
    )
    assert float(found) == pytest.approx(by_sklearn(truth, new, metric))


@pytest.mark.slow
@pytest.mark.parametrize("metric", METRICS)
def test_the_standard_error_is_that_of_leaving_out_each_case(metric: str) -> None:
    columns = answers(11)
    truth, new, old = columns
    values = []
    for place in range(len(truth)):
        kept = [column[:place] + column[place + 1 :] for column in columns]
        values.append(by_sklearn(kept[0], kept[1], metric) - by_sklearn(kept[0], kept[2], metric))
    n = len(truth)
    slow = math.sqrt((n - 1) / n * np.sum((np.array(values) - np.mean(values)) ** 2))
    assert delete_one(coded(columns), metric).se == pytest.approx(slow)  # type: ignore[arg-type]
    interval = label_metric_interval(
        truth,
        new,
        baseline=old,
        labels=LABELS,
        metric=metric,  # type: ignore[arg-type]
    )
    expected = interval.estimate - stats.t.ppf(0.95, n - 1) * slow
    assert interval.lower == pytest.approx(expected)


def test_with_clusters_each_cluster_is_left_out() -> None:
    columns = answers(12)
    clusters = np.repeat(np.arange(15), 4)
    values = []
    for cluster in range(15):
        kept = [
            [item for item, of in zip(column, clusters, strict=True) if of != cluster]
            for column in columns
        ]
        values.append(
            by_sklearn(kept[0], kept[1], "macro_f1") - by_sklearn(kept[0], kept[2], "macro_f1")
        )
    slow = math.sqrt(14 / 15 * np.sum((np.array(values) - np.mean(values)) ** 2))
    found = delete_blocks(coded(columns), "macro_f1", clusters)
    assert (found.se, found.df) == (pytest.approx(slow), 14)
    detail = label_metric_interval(
        columns[0],
        columns[1],
        baseline=columns[2],
        labels=LABELS,
        metric="macro_f1",
        clusters=clusters,
    ).detail
    assert detail["clusters"] == 15
    assert detail["se"] >= delete_one(coded(columns), "macro_f1").se


def test_a_mean_has_the_jackknife_error_of_a_mean() -> None:
    values = np.random.default_rng(2).random(40)
    left_out = (values.sum() - values) / 39
    assert jackknife_spread(left_out).se == pytest.approx(stats.sem(values))


@pytest.mark.parametrize("metric", METRICS)
def test_all_right_is_never_certain(metric: str) -> None:
    truth, _, _ = answers(14, n=200)
    found = label_metric_interval(
        truth,
        truth,
        labels=LABELS[:3],
        metric=metric,  # type: ignore[arg-type]
    )
    assert (found.estimate, found.upper) == (pytest.approx(1.0), pytest.approx(1.0))
    assert found.lower < 0.995


@pytest.mark.parametrize("metric", METRICS)
def test_two_models_that_answer_alike_are_never_certain_to_be_equal(metric: str) -> None:
    truth, new, _ = answers(15, n=200)
    found = label_metric_interval(
        truth,
        new,
        baseline=new,
        labels=LABELS,
        metric=metric,  # type: ignore[arg-type]
    )
    assert found.estimate == 0.0
    assert found.lower < -0.003
    assert found.upper > 0.003


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from("abc?")] * 3), min_size=2, max_size=40))
def test_swapping_the_models_mirrors_the_interval(rows: list[tuple[str, str, str]]) -> None:
    truth, new, old = ("a" + "".join(column) for column in zip(*rows, strict=True))
    one, other = (
        label_metric_interval(truth, *pair[:1], baseline=pair[1], labels="abc", metric="macro_f1")
        for pair in ((new, old), (old, new))
    )
    assert (one.lower, one.upper) == pytest.approx((-other.upper, -other.lower))
    assert one.lower < one.estimate + 1e-12
    assert one.width > 1e-3


def test_the_order_of_the_cases_does_not_matter() -> None:
    columns = answers(16)
    order = np.random.default_rng(3).permutation(60)
    shuffled = [[column[place] for place in order] for column in columns]
    one, other = (
        label_metric_interval(part[0], part[1], baseline=part[2], labels=LABELS, metric="macro_f1")
        for part in (columns, shuffled)
    )
    assert one == other


def test_a_single_case_says_nothing() -> None:
    found = label_metric_interval(["bug"], ["bug"], labels=LABELS, metric="macro_f1")
    assert (found.lower, found.upper) == (0.0, 1.0)
    paired = label_metric_interval(
        ["bug"], ["bug"], baseline=["bill"], labels=LABELS, metric="macro_f1"
    )
    assert (paired.lower, paired.upper) == (-1.0, 1.0)


def test_one_label_alone_is_its_own_precision() -> None:
    truth, new, _ = answers(17)
    found = label_metric_interval(truth, new, labels=["bug"], metric="macro_precision")
    said = [place for place, answer in enumerate(new) if answer == "bug"]
    expected = sum(truth[place] == "bug" for place in said) / len(said)
    assert found.estimate == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["mcc", "kappa"])
def test_agreement_beyond_chance_needs_two_classes(metric: str) -> None:
    with pytest.raises(ValueError, match="single label"):
        label_metric_interval(
            ["a"] * 9,
            ["a"] * 9,
            labels="ab",
            metric=metric,  # type: ignore[arg-type]
        )
    with pytest.raises(ValueError, match="declared"):
        label_metric_interval(
            ["a", "z"],
            ["a", "a"],
            labels="ab",
            metric=metric,  # type: ignore[arg-type]
        )


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="truth is empty"):
        label_metric_interval([], [], labels="ab", metric="macro_f1")
    with pytest.raises(ValueError, match="predicted has 1"):
        label_metric_interval(["a", "b"], ["a"], labels="ab", metric="macro_f1")
    with pytest.raises(ValueError, match="twice"):
        label_metric_interval(["a"], ["a"], labels="aba", metric="macro_f1")
    with pytest.raises(ValueError, match="no case has"):
        label_metric_interval(["z"], ["a"], labels="ab", metric="macro_f1")
    with pytest.raises(ValueError, match="unknown label metric"):
        label_metric_interval(["a"], ["a"], labels="ab", metric="f1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="labels is empty"):
        label_metric_interval(["a"], ["a"], labels=[], metric="macro_f1")
