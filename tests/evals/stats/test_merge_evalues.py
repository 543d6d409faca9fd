"""E-values of runs on the same cases: one alarm level for ever, and nothing gained by asking the same again."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evals.stats.betting import betting_capital, log_e_below
from evals.stats.merge_evalues import log_merged

WEEKS = 52
ALPHA = 0.05
BAR = 0.8


def year(rng: np.random.Generator, chances: np.ndarray, *, noisy: bool) -> list[float]:
    """The log e-values of a year of weekly runs on the same cases, each asked in an order of its own."""
    fixed = (rng.random(chances.size) < chances).astype(float)
    found = []
    for _ in range(WEEKS):
        answers = (rng.random(chances.size) < chances).astype(float) if noisy else fixed
        found.append(log_e_below(rng.permutation(answers), BAR))
    return found


def alarms(weekly: list[float]) -> bool:
    """Whether an alarm was raised in any week; the merged value never falls, so the last one tells."""
    return log_merged(weekly) >= math.log(1 / ALPHA)


@pytest.mark.slow
@pytest.mark.parametrize("noisy", [False, True])
def test_a_model_that_stands_at_its_bar_raises_hardly_an_alarm_in_a_year(noisy: bool) -> None:
    rng = np.random.default_rng(11)
    draws = 300
    found = 0
    for _ in range(draws):
        # Hard and easy cases: a part of them is always right, the others by chance; their mean is the bar.
        easy = rng.random(200) < 0.5
        chances = np.where(easy, 1.0, 2 * BAR - 1)
        found += alarms(year(rng, chances, noisy=noisy))
    assert found / draws <= ALPHA


def test_a_model_that_got_worse_is_found_out_within_weeks() -> None:
    rng = np.random.default_rng(13)
    delays = []
    for _ in range(50):
        before = [log_e_below((rng.random(500) < 0.85).astype(float), BAR) for _ in range(20)]
        for week in range(1, 6):
            before.append(log_e_below((rng.random(500) < 0.70).astype(float), BAR))
            if alarms(before):
                delays.append(week)
                break
    assert len(delays) >= 48
    assert np.mean(delays) < 1.5


def test_the_same_answers_again_and_again_say_no_more_than_once() -> None:
    once = math.log(12.0)
    assert log_merged([once] * 1000) < once
    assert log_merged([once] * 1000) == pytest.approx(once, abs=0.01)


def test_what_is_merged_never_falls_and_a_missing_run_only_lowers_it() -> None:
    weekly = [0.3, -2.0, 1.5, -0.4]
    merged = [log_merged(weekly[:k]) for k in range(1, 5)]
    assert merged == sorted(merged)
    assert log_merged([0.3, None, 1.5, -0.4]) < log_merged(weekly)
    assert log_merged([None, None]) == log_merged([]) == -math.inf


def test_the_value_of_one_run_is_the_average_capital_of_its_gamblers() -> None:
    rng = np.random.default_rng(14)
    values = (rng.random(80) < 0.6).astype(float)
    stakes = [0.9 * (step / 20) ** 2 / (1 - BAR) for step in range(1, 21)]
    ends = [betting_capital(1 - values, 1 - BAR, bet=stake).up[-1] for stake in stakes]
    assert log_e_below(values, BAR) == pytest.approx(math.log(np.mean(ends)))
    scaled = log_e_below(1 + 2 * values, 1 + 2 * BAR, lo=1, hi=3)
    assert scaled == pytest.approx(log_e_below(values, BAR))


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["right or wrong", "graded"])
def test_its_expectation_at_the_bar_is_at_most_one(shape: str) -> None:
    rng = np.random.default_rng(15)
    draws = []
    for _ in range(4000):
        right = (rng.random(60) < BAR).astype(float)
        values = right if shape == "right or wrong" else rng.beta(8, 2, 60)
        draws.append(math.exp(log_e_below(values, BAR)))
    error = float(np.std(draws)) / math.sqrt(len(draws))
    assert np.mean(draws) <= 1 + 3 * error


def test_it_stays_finite_where_a_capital_would_not() -> None:
    assert log_e_below(np.zeros(200_000), 0.9) > 1000
    assert -1000 < log_e_below(np.ones(200_000), 0.9) < -100


@pytest.mark.parametrize("bar", [0.0, 1.0, -0.2, 1.2])
def test_a_bar_at_the_end_of_the_scale_is_refused(bar: float) -> None:
    with pytest.raises(ValueError, match="the bar must be in"):
        log_e_below([0.5], bar)
