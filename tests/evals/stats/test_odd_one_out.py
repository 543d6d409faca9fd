"""Which of three answers is the odd one out: chance has a known rate, a change exceeds it, and all looks together keep one rate."""

from __future__ import annotations

import numpy as np
import pytest

from evals.stats.odd_one_out import level_of_look, odd_ones


def test_cases_answered_alike_or_three_ways_tell_nothing() -> None:
    found = odd_ones([("a", "a", "a"), ("a", "b", "c")])
    assert (found.telling, found.odd, found.p) == (0, 0, 1.0)


def test_a_model_that_answers_many_cases_otherwise_is_seen_at_once() -> None:
    found = odd_ones([("a", "a", "b")] * 12 + [("a", "a", "a")] * 500)
    assert (found.telling, found.odd, found.expected) == (12, 12, 4.0)
    assert found.p == pytest.approx((1 / 3) ** 12)


def test_a_noisy_model_that_is_the_same_is_called_changed_no_more_often_than_the_level() -> None:
    rng = np.random.default_rng(5)
    chance = rng.uniform(0.0, 1.0, 150)
    called = sum(
        odd_ones([tuple(row) for row in (rng.random((150, 3)) < chance[:, None]).tolist()]).p
        <= 0.05
        for _ in range(1000)
    )
    assert called <= 65


def test_the_levels_of_all_looks_add_up_to_alpha() -> None:
    assert sum(level_of_look(look, 0.05) for look in range(1, 10_000)) == pytest.approx(
        0.05, abs=1e-5
    )
    with pytest.raises(ValueError, match="from 1"):
        level_of_look(0, 0.05)


def test_cases_of_a_cluster_that_move_together_have_one_vote() -> None:
    together = [("a", "a", "b")] * 8
    found = odd_ones(together * 2, [0] * 8 + [1] * 8)
    assert (found.telling, found.odd, found.clustered) == (2, 2, True)
    assert found.p == pytest.approx(1 / 9)


def test_a_cluster_with_no_pass_that_is_odd_most_often_tells_nothing() -> None:
    found = odd_ones([("a", "a", "b"), ("a", "b", "a")], ["one", "one"])
    assert (found.telling, found.p) == (0, 1.0)


def test_a_noisy_model_whose_clusters_move_together_is_called_changed_no_more_often_than_the_level() -> (
    None
):
    rng = np.random.default_rng(5)
    clusters = np.repeat(np.arange(50), 8).tolist()
    chance = rng.uniform(0.05, 0.95, 50)
    by_cluster = by_case = 0
    for _ in range(400):
        moved = np.repeat(rng.random((50, 3)) < chance[:, None], 8, axis=0)
        passes = [tuple(row) for row in moved.tolist()]
        by_cluster += odd_ones(passes, clusters).p <= 0.05
        by_case += odd_ones(passes).p <= 0.05
    assert by_cluster <= 30
    assert by_case > 80  # what the clusters are for
