"""A model that did not change triggers as seldom as it is promised; nothing is assumed of how steady it is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from evals.stats.steady_answers import (
    LEAST_CHANCE,
    LOOKS_A_YEAR,
    chance_of_order,
    fewest_differing,
    p_of_differing,
    p_of_more_restless,
)


@pytest.mark.parametrize(("agreed", "again"), [(2, 1), (1, 3), (3, 2), (2, 2), (3, 3)])
def test_the_chance_of_an_order_is_the_share_of_all_orders(agreed, again):
    answers = ["usual"] * agreed + ["other"] * again
    orders = set(itertools.permutations(answers))
    like_this = [one for one in orders if len(set(one[:agreed])) == len(set(one[agreed:])) == 1]
    assert chance_of_order(agreed, again) == pytest.approx(len(like_this) / len(orders))


def test_no_case_is_trusted_to_be_ever_so_steady():
    assert chance_of_order(6, 3) == pytest.approx(1 / 84)
    assert chance_of_order(60, 3) == LEAST_CHANCE


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize("spread", [(0.15, 1.5), (1.0, 1.0), (5.0, 20.0)])
def test_the_p_value_of_an_unchanged_model_is_as_small_as_it_may_be_and_no_smaller(spread, alpha):
    """Cases are chosen because they agreed three times, of 30; one answer since, to have something to see at all."""
    rng = np.random.default_rng(2)
    rates = rng.beta(*spread, size=(12_000, 30))
    steady = (rng.random((12_000, 30, 3)) >= rates[:, :, None]).all(axis=2)
    chosen = steady & (steady.cumsum(axis=1) <= 15)
    differs = (chosen & (rng.random((12_000, 30)) < rates)).sum(axis=1)
    passed_over = (~steady).sum(axis=1)
    pairs, counts = np.unique(np.stack([differs, passed_over]), axis=1, return_counts=True)
    small = [p_of_differing(int(y), int(d), chance_of_order(3, 1)) <= alpha for y, d in pairs.T]
    assert float(counts[small].sum()) / counts.sum() <= alpha


def test_a_changed_model_needs_only_a_few_cases_and_more_where_many_were_passed_over():
    chance = chance_of_order(6, 3)
    assert fewest_differing(20, 0, chance) == 3
    assert fewest_differing(20, 5, chance) == 3
    assert fewest_differing(20, 20, chance) == 5
    assert fewest_differing(2, 0, chance) is None
    assert p_of_differing(3, 5, chance) <= 1 / LOOKS_A_YEAR < p_of_differing(2, 5, chance)
    assert p_of_differing(0, 5, chance) == 1.0


def test_counts_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="before and after"):
        chance_of_order(0, 3)
    for wrong in ((-1, 0, 0.1), (0, -1, 0.1), (0, 0, 0.0), (0, 0, float("nan"))):
        with pytest.raises(ValueError, match="a chance"):
            p_of_differing(*wrong)


@pytest.mark.parametrize("spread", [(0.15, 1.5), (1.0, 1.0)])
def test_a_model_as_restless_as_before_is_seldom_found_more_restless(spread):
    """The same cases twice: seven answers before, five since. Five in a hundred are promised here, to have something to see."""
    rng = np.random.default_rng(3)
    rates = rng.beta(*spread, size=(4_000, 40))
    before, now = (
        (~np.isin(rng.binomial(times, rates), (0, times))).sum(axis=1) for times in (7, 5)
    )
    p = [p_of_more_restless(int(x), 40, int(y), 40) for x, y in zip(now, before, strict=True)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05
    assert p_of_more_restless(17, 40, 0, 40) < 1e-5
    assert p_of_more_restless(3, 40, 0, 0) == 1.0
    with pytest.raises(ValueError, match="counts"):
        p_of_more_restless(3, 2, 0, 0)
