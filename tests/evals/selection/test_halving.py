"""Successive halving: who is left after each rung, who is chosen, and what that leaves of the gate's promise."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from evals.checks.check import Check
from evals.gate.judge import judge
from evals.selection.halving import Scored, choose, left_after, rung_shares
from evals.selftest.simulated_models import gate_of, simulated_evidence


def test_rungs_cost_about_the_same_and_the_last_one_asks_all():
    assert rung_shares(8, 700) == (Fraction(1, 7), Fraction(3, 7), Fraction(1))
    asked = [math.ceil(share * 700) for share in rung_shares(8, 700)]
    left = [8, 4, 2]
    costs = [
        count * (now - before) for count, now, before in zip(left, asked, [0, *asked], strict=False)
    ]
    assert costs == [800, 800, 800]


def test_no_rung_drops_anybody_on_fewer_than_twenty_cases():
    assert rung_shares(20, 60) == (Fraction(1, 3), Fraction(15, 31), Fraction(1))
    assert rung_shares(20, 15) == (Fraction(1),)


@pytest.mark.parametrize(("candidates", "cases"), [(1, 100), (2, 0)])
def test_there_is_nothing_to_choose_among_fewer_than_two_or_on_no_case(candidates, cases):
    with pytest.raises(ValueError, match="at least two candidates and one case"):
        rung_shares(candidates, cases)


def scored(*scores: float | None) -> list[Scored]:
    return [Scored(place, score) for place, score in enumerate(scores)]


def test_the_better_half_is_left_best_first_rounded_up():
    assert left_after(scored(0.5, 0.9, 0.7, 0.6, 0.8), higher_is_better=True) == (1, 4, 2)
    assert left_after(scored(0.5, 0.9, 0.7, 0.6, 0.8), higher_is_better=False) == (0, 3, 2)
    assert left_after(scored(0.5, 0.9), higher_is_better=True, last=True) == (1,)


def test_of_equal_scores_who_was_named_first_is_left():
    assert left_after(scored(0.7, 0.7, 0.7), higher_is_better=True, last=True) == (0,)


def test_who_was_not_measured_or_clearly_fails_is_never_left():
    field = [Scored(0, None), Scored(1, 0.9, failed=True), Scored(2, 0.2), Scored(3, math.nan)]
    assert left_after(field, higher_is_better=True) == (2,)
    assert left_after(field[:2], higher_is_better=True, last=True) == ()


def test_the_best_is_chosen_and_a_missing_answer_is_no_right_one():
    scores = np.array([[1.0, 0.0] * 40, [1.0, 1.0] * 40, [1.0, np.nan] * 40])
    assert choose(scores).chosen == 1
    assert choose(scores[[2, 0]]).chosen == 0, "equal: one named first"
    assert choose(-np.nan_to_num(scores), higher_is_better=False).chosen == 1


def test_nobody_is_chosen_where_all_clearly_fail():
    found = choose(np.zeros((4, 60)), fails=lambda one: bool(one.mean() < 0.5))
    assert (found.chosen, found.left) == (None, ((),))


@pytest.mark.slow
@pytest.mark.parametrize("candidates", [5, 20])
def test_the_chosen_of_equally_bad_candidates_is_promoted_as_seldom_as_one(candidates):
    """All worse by exactly the margin on 400 cases, the best on the first 100 judged on the other 300."""
    rng = np.random.default_rng(candidates)
    check = Check(metric="score", kind="max_drop", threshold=0.05, field="a")
    gate, differing, cases, runs, passed = gate_of(check, early_stop=False), 0.2, 400, 1500, 0
    for _ in range(runs):
        theirs = rng.random(cases) < 0.85
        draws = rng.random((candidates, cases))
        lost = theirs & (draws < (differing + 0.05) / 2 / 0.85)
        won = ~theirs & (draws < (differing - 0.05) / 2 / 0.15)
        ours = np.where(theirs, ~lost, won).astype(float)
        chosen = choose(ours[:, :100]).chosen
        assert chosen is not None
        pair = {
            "ours": {"score": ours[chosen, 100:]},
            "theirs": {"score": theirs[100:].astype(float)},
        }
        passed += judge(gate, simulated_evidence(pair)).outcome == "PASS"
    assert passed / runs <= 0.055 + 3 * math.sqrt(0.055 * 0.945 / runs)
