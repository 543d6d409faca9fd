"""Clustered errors agree with statsmodels and with the matrices they are defined by."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS

from evals.stats.bounded import bounded_score_bounds
from evals.stats.clusters import (
    cluster_errors,
    cluster_freedom,
    cluster_sizes,
    design_effect,
    uneven_effect,
)
from evals.stats.score_intervals import paired_interval


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    clusters = np.repeat(np.arange(14), rng.integers(1, 9, size=14))
    values = rng.normal(size=14)[clusters] + rng.normal(size=clusters.size)
    return values, clusters


def test_cr0_and_cr1_agree_with_statsmodels(sample: tuple[np.ndarray, np.ndarray]) -> None:
    values, clusters = sample
    model = OLS(values, np.ones(values.size))
    for corrected, name in ((False, "se_cr0"), (True, "se_cr1")):
        options = {"groups": clusters, "use_correction": corrected}
        expected = model.fit(cov_type="cluster", cov_kwds=options).bse[0]
        # statsmodels' correction has (n - 1) / (n - k) in it, which is 1 for a mean.
        assert getattr(cluster_errors(values, clusters), name) == pytest.approx(expected)


def test_cr2_and_its_degrees_of_freedom_follow_from_their_matrices(
    sample: tuple[np.ndarray, np.ndarray],
) -> None:
    values, clusters = sample
    n = values.size
    residual_maker = np.eye(n) - np.full((n, n), 1.0 / n)
    residuals = residual_maker @ values
    columns = []
    for cluster in np.unique(clusters):
        inside = clusters == cluster
        block = residual_maker[np.ix_(inside, inside)]
        roots, vectors = np.linalg.eigh(block)
        inverse = np.where(roots > 1e-10, 1.0 / np.sqrt(np.maximum(roots, 1e-10)), 0.0)
        adjust = vectors @ np.diag(inverse) @ vectors.T
        columns.append(residual_maker[:, inside] @ adjust @ np.ones(inside.sum()) / n)
    form = np.array(columns)
    found = cluster_errors(values, clusters)
    assert found.se_cr2 == pytest.approx(math.sqrt(np.sum((form @ residuals) ** 2)))
    gram = form @ form.T
    expected = np.trace(gram) ** 2 / np.sum(gram**2)
    assert found.df_satterthwaite == pytest.approx(expected)


def test_clusters_of_one_case_change_nothing() -> None:
    values = np.array([0.1, 0.4, 0.9, 0.7])
    assert design_effect(values, ["a", "b", "c", "d"]) == pytest.approx(1.0)
    errors = cluster_errors(values, ["a", "b", "c", "d"])
    assert errors.se_cr2 == pytest.approx(errors.se_iid)


def test_equal_values_count_once_for_each_cluster() -> None:
    clusters = np.repeat(np.arange(10), 5)
    assert design_effect(np.ones(50), clusters) == 5.0
    # ... also when they are equal up to rounding only.
    almost = np.where(np.arange(50) % 2, 0.9 - 0.8, 0.1)
    assert design_effect(almost, clusters) == 5.0


def test_the_same_answer_throughout_a_cluster_counts_as_one_case() -> None:
    rng = np.random.default_rng(3)
    passed = (rng.random(200) < 0.7).astype(float)
    alone = bounded_score_bounds(passed)
    clusters = np.repeat(np.arange(200), 5)
    together = bounded_score_bounds(
        np.repeat(passed, 5), design_effect=design_effect(np.repeat(passed, 5), clusters)
    )
    assert together == pytest.approx(alone, abs=2e-4)


def test_labels_of_any_kind_make_the_same_clusters() -> None:
    rng = np.random.default_rng(5)
    new, old = rng.random(60), rng.random(60)
    numbers = np.repeat(np.arange(12), 5)
    names = [f"customer {number}" for number in numbers]
    assert paired_interval(new, old, clusters=numbers) == paired_interval(new, old, clusters=names)


def test_one_cluster_has_no_spread() -> None:
    with pytest.raises(ValueError, match="two clusters"):
        cluster_errors([1.0, 2.0], ["a", "a"])
    assert design_effect([1.0, 2.0], ["a", "a"]) == 2.0


def test_a_label_for_every_case_is_needed() -> None:
    with pytest.raises(ValueError, match="clusters has 1 entries"):
        cluster_errors([1.0, 2.0], ["a"])


def test_a_cluster_with_a_third_of_the_cases_leaves_fewer_degrees_of_freedom() -> None:
    even = np.repeat(np.arange(41), 10)
    uneven = np.repeat(np.arange(41), [120, *[7] * 40])
    assert cluster_freedom(even) == pytest.approx(40.0)
    assert cluster_freedom(uneven) == pytest.approx(9.5, abs=0.1)
    assert cluster_freedom(np.zeros(5, dtype=np.int64)) == 0.0


def test_clusters_are_worth_as_many_of_one_size_as_say_as_much() -> None:
    assert cluster_sizes([7] * 12) == (12, 12.0, pytest.approx(1 / 12))
    one_of_a_third = cluster_sizes([120, *[7] * 40])
    assert one_of_a_third.groups == 41
    assert one_of_a_third.effective == pytest.approx(400**2 / (120**2 + 40 * 49))
    assert one_of_a_third.largest == pytest.approx(0.3)
    assert cluster_sizes([]).groups == 0


def test_equal_values_in_unequal_clusters_count_once_for_each_that_they_are_worth() -> None:
    clusters = np.repeat(np.arange(41), [120, *[7] * 40])
    assert design_effect(np.ones(400), clusters) == pytest.approx(400 / 9.779, abs=0.01)


def test_what_a_large_cluster_has_in_common_is_judged_by_all_clusters() -> None:
    rng = np.random.default_rng(8)
    alike = rng.normal(size=41)
    even, uneven = (np.repeat(np.arange(41), sizes) for sizes in (10, [120, *[7] * 40]))
    noise = 0.3 * rng.normal(size=410)
    assert uneven_effect(alike[even] + noise, even) == pytest.approx(1.0)
    alike[0] = 0.0  # the large one looks as usual as can be, and may be so by luck
    values = alike[uneven] + noise[:400]
    errors = cluster_errors(values, uneven)
    assert design_effect(values, uneven) > 2.0 * (errors.se_cr2 / errors.se_iid) ** 2
    assert uneven_effect(np.ones(400), uneven) == 1.0
