"""What is measured, on which cases, and what may be compared at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score
from support.results import results_of

from evals.checks.check import Check
from evals.checks.comparability import ComparedResults, results_for
from evals.checks.comparison import compare, measure
from evals.checks.floors import clusters_said
from evals.checks.methods import IncomparableError
from evals.checks.rows import coverage, due_rows, rows_of
from evals.metrics.results import LabelColumn
from evals.stats.bounded import bounded_score_bounds
from evals.stats.clusters import cluster_sizes
from evals.stats.paired_binary import tango_bounds
from evals.stats.proportions import clopper_pearson_bounds

N = 300
LEVEL = Check(metric="exact", kind="at_least", threshold=0.8)
DROP = Check(metric="exact", kind="max_drop", threshold=0.05)


@pytest.fixture
def pair() -> Any:
    rng = np.random.default_rng(3)
    ours, theirs = (rng.random((2, N)) < 0.85).astype(float)
    tags = {"plan": ["a", "b", ""] * (N // 3)}
    return (
        results_of({"exact": ours}, tags=tags),
        results_of({"exact": theirs}, model="baseline-1", tags=tags),
    )


def test_pass_rates_are_measured_by_clopper_pearson_and_tango(pair: Any) -> None:
    ours, theirs = (side.columns["exact"] for side in pair)
    level, drop = measure(LEVEL, *pair, 0.95), compare(DROP, *pair, 0.95)
    assert (level.lower, level.upper) == pytest.approx(
        tuple(map(float, clopper_pearson_bounds(ours.sum(), N)))
    )
    wins, losses = (ours > theirs).sum(), (ours < theirs).sum()
    assert (drop.lower, drop.upper) == pytest.approx(
        tuple(map(float, tango_bounds(wins, losses, N)))
    )
    assert (level.baseline, drop.estimate) == pytest.approx(
        (theirs.mean(), ours.mean() - theirs.mean())
    )


def test_only_where_the_gate_says_so_are_missing_scores_left_out() -> None:
    ours, theirs = np.ones(N), np.ones(N)
    ours[:5], theirs[3:9] = np.nan, np.nan
    sides = results_of({"exact": ours}), results_of({"exact": theirs}, model="b")
    left_out = compare(DROP, *sides, 0.95, missing="at_random")
    assert (left_out.n, left_out.at_ends) == (N - 9, False)
    counted = compare(DROP, *sides, 0.95)
    assert (counted.n, counted.missing, counted.at_ends) == (N, (5, 6), True)
    assert (counted.lower, counted.upper) == pytest.approx(
        (float(tango_bounds(0, 5, N)[0]), float(tango_bounds(6, 0, N)[1]))
    )
    assert counted.estimate == left_out.estimate == 0.0


def test_a_slice_is_measured_on_its_own_cases(pair: Any) -> None:
    check = Check(metric="exact", kind="at_least", threshold=0.8, where={"plan": "a"})
    found = measure(check, pair[0], None, 0.95)
    assert (found.n, found.estimate) == (N // 3, pair[0].columns["exact"][::3].mean())
    assert rows_of(check, pair[0]).sum() == N // 3


def test_macro_f1_is_scikit_learns_with_the_declared_labels() -> None:
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 3, N), rng.integers(-1, 3, N)
    column = LabelColumn(
        labels=("a", "b", "c", "never"), truth=truth[:, None], predicted=said[:, None]
    )
    check = Check(metric="intent.macro_f1", kind="at_least", threshold=0.1)
    found = measure(check, results_of({}, labels={"intent": column}), None, 0.95)
    wanted = f1_score(truth, said, labels=range(4), average="macro", zero_division=0)
    assert found.estimate == pytest.approx(wanted)


def test_a_ratio_of_scores_turns_where_the_bounded_score_does(pair: Any) -> None:
    check = Check(metric="exact", kind="max_drop", threshold=0.1, percent=True)
    found = compare(check, *pair, 0.95)
    ours, theirs = (side.columns["exact"] for side in pair)
    low = bounded_score_bounds(ours - found.lower * theirs, lo=-found.lower, hi=1.0)[0]
    high = bounded_score_bounds(ours - found.upper * theirs, lo=-found.upper, hi=1.0)[1]
    assert (low, high) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert found.ratio
    assert found.lower < ours.mean() / theirs.mean() < found.upper


@pytest.mark.parametrize(
    ("check", "why"),
    [
        (
            Check(metric="intent.macro_f1", kind="max_drop", threshold=0.1, percent=True),
            "without %",
        ),
        (Check(metric="latency_p95_ms", kind="max_rise", threshold=10.0), "with a % sign"),
        (
            Check(metric="latency_mean_ms", kind="min_gain", threshold=0.1, percent=True),
            "a gain in %",
        ),
        (Check(metric="nothing", kind="max_drop", threshold=0.1), "no suite measured"),
    ],
)
def test_comparisons_that_have_no_method_are_refused(check: Check, why: str) -> None:
    column = LabelColumn(
        labels=("a", "b"),
        truth=np.zeros((N, 1), dtype=np.int64),
        predicted=np.zeros((N, 1), dtype=np.int64),
    )
    sides = [
        results_of({"latency_ms": np.full(N, 5.0)}, labels={"intent": column}, model=model)
        for model in "ab"
    ]
    with pytest.raises(IncomparableError, match=why):
        compare(check, *sides, 0.95)


@pytest.mark.parametrize(
    ("groups", "blocked", "warned"), [(9, True, 0), (15, False, 1), (25, False, 0)]
)
def test_few_clusters_warn_and_fewer_forbid(groups: int, blocked: bool, warned: int) -> None:
    codes = np.arange(N) % groups
    found = measure(LEVEL, results_of({"exact": np.ones(N)}, clusters=codes), None, 0.95)
    assert (found.blocked is not None, len(found.warnings)) == (blocked, warned)


def test_coverage_counts_the_asked_cases_of_the_check_alone() -> None:
    scores = np.where(np.arange(N) < 30, np.nan, 1.0)
    asked = np.arange(N) < 200
    about = np.arange(N) % 2 == 0
    side = results_of({"intent.accuracy": scores}, planned=asked, applicable={"intent": about})
    check = Check(metric="intent.accuracy", kind="at_least", threshold=0.5)
    assert coverage(check, side) == (85, 100)
    assert due_rows(check, side).sum() == N // 2


def test_a_metric_of_several_suites_is_pooled_and_one_of_one_is_not() -> None:
    side = {
        name: results_of({"latency_ms": np.full(50, 5.0), name: np.ones(50)}, suite=name)
        for name in ("one", "two")
    }
    latency = Check(metric="latency_mean_ms", kind="at_most", threshold=9.0)
    assert len(results_for(latency, side).case_ids) == 100
    assert results_for(Check(metric="one", kind="at_least", threshold=0.5), side) is side["one"]
    with pytest.raises(IncomparableError, match="no results of suite 'three'"):
        results_for(Check(metric="one", suite="three", kind="at_least", threshold=0.5), side)


def test_what_checks_share_is_worked_out_once() -> None:
    side = {
        name: results_of({"latency_ms": np.full(50, 5.0)}, suite=name) for name in ("one", "two")
    }
    sides = ComparedResults(side, side)
    check = Check(metric="latency_mean_ms", kind="at_most", threshold=9.0)
    assert sides.of(check)[0] is sides.of(check)[0]


@pytest.mark.parametrize(
    ("sizes", "least", "words"),
    [
        ([5], 0, "1 cluster"),
        ([2] * 1200, 0, "1,200 clusters"),
        ([3] * 12 + [2] * 250, 0, "262 clusters"),
        ([90] + [1] * 90, 0, "3.9 effective clusters (of 91; the largest holds 50 % of the cases)"),
        ([99_999, 1], 0, "1 effective cluster (of 2; the largest holds 99.9 % of the cases)"),
        ([2] * 9 + [3], 0, "10 clusters"),
        (
            [2] * 9 + [3],
            10,
            "9.8 effective clusters (of 10; the largest holds 14.2 % of the cases)",
        ),
    ],
)
def test_clusters_are_said_by_what_they_are_worth_where_that_matters(
    sizes: list[int], least: int, words: str
) -> None:
    assert clusters_said(cluster_sizes(sizes), least) == words
