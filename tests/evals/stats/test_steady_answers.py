"""A model that did not change triggers as seldom as it is promised; nothing is assumed of how steady it is."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from evals.stats.steady_answers import (
    LOOKS_A_YEAR,
    MOST_E,
    e_of_case,
    e_of_turn,
    e_together,
    fewest_differing,
)


@pytest.mark.parametrize(("asked", "again"), [(4, 1), (5, 2), (6, 3), (7, 3)])
@pytest.mark.parametrize(
    "rate", [Fraction(1, 50), Fraction(1, 10), Fraction(1, 3), Fraction(9, 10)]
)
def test_a_case_of_an_unchanged_model_has_an_e_value_of_at_most_1_on_average(asked, again, rate):
    mean = Fraction(0)
    for answers in itertools.product((0, 1), repeat=asked + again):
        chance = Fraction(1)
        for one in answers:
            chance *= rate if one else 1 - rate
        if all(answers[asked:]):
            mean += chance * Fraction(e_of_case(asked, sum(answers[:asked]), again))
    assert mean <= 1 + Fraction(1, 10**9)


@pytest.mark.parametrize(("kept", "again"), [(1, 5), (2, 5), (3, 3)])
def test_answers_that_turned_have_an_e_value_of_at_most_1_on_average(kept, again):
    for rates in ((0.5, 0.5), (0.9, 0.1), (0.6, 0.3, 0.1), (0.2,) * 5):
        before_and_after = sum(
            one**kept * other**again
            for place, one in enumerate(rates)
            for elsewhere, other in enumerate(rates)
            if place != elsewhere
        )
        assert before_and_after * e_of_turn(kept, again) <= 1.0 + 1e-12


def test_a_case_weighs_more_the_longer_it_agreed_and_never_more_than_the_most():
    assert e_of_case(6, 0, 3) == 84.0
    assert e_of_case(6, 2, 3) == 8.4
    assert e_of_case(1000, 0, 3) == MOST_E


def test_looking_hourly_for_ten_years_triggers_less_than_once_a_year():
    """Twenty cases, chosen because they agreed six times, of a pool that flips at very different rates."""
    rng = np.random.default_rng(4)
    looks = 0
    triggers = 0
    for _canary in range(60):
        rates = rng.beta(0.15, 1.5, size=400)
        agreed = rng.random((400, 6)) >= rates[:, None]
        steady = np.flatnonzero(agreed.all(axis=1))[:20]
        passed_over = int(steady[-1]) + 1 - 20
        most = MOST_E  # the bar at its lowest, as after weeks
        flips = (rng.random((1500, 20, 3)) < rates[steady][None, :, None]).all(axis=2)
        for row in np.flatnonzero(flips.sum(axis=1) > 1):
            triggers += e_together(np.where(flips[row], most, 0.0), passed_over) >= LOOKS_A_YEAR
        looks += 1500
    assert triggers <= looks / LOOKS_A_YEAR


def test_a_changed_model_needs_only_a_few_cases_and_more_where_many_were_passed_over():
    young, old = [e_of_case(6, 0, 3)] * 20, [MOST_E] * 20
    assert fewest_differing(young, 3, LOOKS_A_YEAR) == 5
    assert fewest_differing(old, 3, LOOKS_A_YEAR) == 5
    assert fewest_differing(young, 30, LOOKS_A_YEAR) > 5
    assert fewest_differing([3.0] * 4, 0, LOOKS_A_YEAR) is None


def test_counts_that_cannot_be_are_refused():
    for wrong in ((2, 3, 1), (3, 0, 0), (-1, -1, 1)):
        with pytest.raises(ValueError, match="expected"):
            e_of_case(*wrong)
    with pytest.raises(ValueError, match="0 or more"):
        e_together([-1.0])
    with pytest.raises(ValueError, match="before and after"):
        e_of_turn(0, 3)
