"""Evidence of a drop over weeks on the same cases: it grows after a drop, however late, and hardly ever without one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evals.stats.betting import STAKES
from evals.stats.drop_evidence import EARLY, allowance, log_capitals, log_together
from evals.stats.merge_evalues import log_merged


def half_year(rng: np.random.Generator, drop: float, margin: float, weeks: int = 26) -> float:
    """The largest evidence of a half-year; the drop comes in its middle, on cases that were always right before."""
    cases = 600
    right = np.concatenate([np.ones(480), rng.uniform(0.2, 0.9, 120)])
    after = right.copy()
    after[: round(drop * cases)] = 0.0
    reference, second = (rng.random((2, cases)) < right).astype(float)
    lucky = allowance(reference, second, alpha=0.025, same_model=True)
    said = [
        log_capitals(
            (rng.random(cases) < (after if week >= weeks // 2 else right)) - reference,
            -(margin + lucky),
        )
        for week in range(weeks)
    ]
    return max(log_together(said[: week + 1]) for week in range(weeks))


def test_a_model_exactly_at_the_margin_raises_an_alarm_in_at_most_one_of_twenty_years() -> None:
    rng = np.random.default_rng(2)
    alarms = sum(half_year(rng, 0.03, 0.03) >= math.log(40) for _ in range(60))
    assert alarms <= 6


def test_a_drop_of_three_margins_is_found_though_it_comes_late() -> None:
    rng = np.random.default_rng(3)
    assert sum(half_year(rng, 0.09, 0.03) >= math.log(40) for _ in range(20)) == 20


def test_late_evidence_is_worth_more_than_merged_as_if_weeks_hung_together_anyhow() -> None:
    weeks = [None] * 19 + [(2.0,) * len(STAKES)] * 6
    assert log_together(weeks) > math.log(40) > log_merged([None] * 19 + [2.0] * 6)


def test_the_starts_of_all_weeks_share_one_stake() -> None:
    shares = [EARLY / ((week + EARLY - 1) * (week + EARLY)) for week in range(1, 100_000)]
    assert sum(shares) == pytest.approx(1.0, abs=1e-3)
    assert log_together([None]) == pytest.approx(math.log(shares[0]))


def test_the_allowance_grows_with_the_noise_and_is_never_nothing() -> None:
    alike, other = np.ones(400), np.concatenate([np.zeros(40), np.ones(360)])
    assert 0.0 < allowance(alike, alike, alpha=0.025, same_model=True) < 0.005
    of_one = allowance(alike, other, alpha=0.025, same_model=True)
    assert of_one < allowance(alike, other, alpha=0.025, same_model=False)
    with pytest.raises(ValueError, match="two draws of the same cases"):
        allowance(alike, other[:5], alpha=0.025, same_model=True)


def test_a_bar_outside_the_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="the bar must be in"):
        log_capitals(np.zeros(5), -1.0)
