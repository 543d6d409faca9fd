"""Prediction-powered inference with bounds that keep their promise where people like most answers."""

from __future__ import annotations

import numpy as np
import pytest

from evals.stats.bounded import bounded_score_bounds
from evals.stats.ppi import ppi_bounded, ppi_mean

CASES = 500


def people_and_judge(rng: np.random.Generator, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """People like `rate` of the answers; the judge misses 2 % of those and likes 30 % of the others."""
    human = (rng.random(CASES) < rate).astype(float)
    judge = np.where(human == 1, rng.random(CASES) >= 0.02, rng.random(CASES) < 0.3)
    return human, judge.astype(float)


@pytest.mark.slow
def test_it_keeps_its_error_rate_where_the_t_interval_does_not() -> None:
    rng, draws, n, rate = np.random.default_rng(7), 1000, 100, 0.95
    wrong = {"bounded": 0, "t": 0}
    for _ in range(draws):
        human, judge = people_and_judge(rng, rate)
        parts = human[:n], judge[:n], judge[n:]
        wrong["bounded"] += ppi_bounded(*parts).lower > rate
        wrong["t"] += ppi_mean(*parts).lower > rate
    assert wrong["bounded"] / draws <= 0.07 + 3 * (0.07 * 0.93 / draws) ** 0.5
    assert wrong["t"] / draws > 0.1


def test_it_says_the_same_as_ppi_in_the_middle_and_never_leaves_the_scale() -> None:
    rng = np.random.default_rng(8)
    for rate in (0.02, 0.5, 0.98):
        human, judge = people_and_judge(rng, rate)
        found = ppi_bounded(human[:120], judge[:120], judge[120:])
        plain = ppi_mean(human[:120], judge[:120], judge[120:])
        assert found.estimate == pytest.approx(plain.estimate)
        assert found.detail["lambda"] == plain.detail["lambda"]
        assert 0 <= found.lower < found.estimate < found.upper <= 1


def test_flawless_answers_are_no_certainty() -> None:
    ones = np.ones(CASES)
    found = ppi_bounded(ones[:120], ones[:120], ones[120:])
    assert found.lower == pytest.approx(bounded_score_bounds(ones[:120])[0])
    assert found.lower < 1


def test_swapping_the_models_mirrors_the_interval() -> None:
    rng = np.random.default_rng(9)
    (ours, judged), (theirs, their_judge) = (people_and_judge(rng, rate) for rate in (0.8, 0.7))
    human, judge = ours - theirs, judged - their_judge
    one = ppi_bounded(human[:150], judge[:150], judge[150:], lo=-1, hi=1)
    other = ppi_bounded(-human[:150], -judge[:150], -judge[150:], lo=-1, hi=1)
    assert (one.lower, one.upper) == pytest.approx((-other.upper, -other.lower))


def test_a_good_judge_narrows_what_the_labels_alone_would_say() -> None:
    rng = np.random.default_rng(10)
    human, judge = people_and_judge(rng, 0.6)
    found = ppi_bounded(human[:150], judge[:150], judge[150:])
    low, high = bounded_score_bounds(human[:150])
    assert found.width < high - low


def test_nan_and_too_few_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two labels"):
        ppi_bounded([1.0], [1.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="labels holds nan"):
        ppi_bounded([1.0, float("nan")], [1.0, 1.0], [1.0, 0.0])
