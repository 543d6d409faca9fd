"""Bounds of a symmetric mean: they hold however often one looks, need no variance, and say nothing of a handful."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evals.stats.symmetric import symmetric_mean

CASES, WEEKS = 60, 104
RHO = 10 * 0.1 / CASES


def weekly_differences(rng: np.random.Generator, shift: float = 0.0) -> list[float]:
    """Two passes a week over the same cases, some of which the model answers by chance, whole clusters at once."""
    chance = np.where(rng.random(CASES) < 0.3, rng.random(CASES), np.round(rng.random(CASES)))
    day = rng.normal(0.0, 0.05, (WEEKS, 2, 1))  # a bad day of the service hits all cases of a pass
    passes = rng.random((WEEKS, 2, CASES)) < np.clip(chance + day, 0.0, 1.0)
    return [float(one) + shift for one in passes.mean(axis=2) @ np.array([-1.0, 1.0])]


def test_who_looks_every_month_for_two_years_is_misled_in_less_than_one_life_in_twenty() -> None:
    rng, lives, misled = np.random.default_rng(7), 120, 0
    for _ in range(lives):
        found = weekly_differences(rng)
        looks = (symmetric_mean(found[:n], rho=RHO) for n in range(12, WEEKS + 1, 4))
        misled += any(one.lower > 0.0 or one.upper < 0.0 for one in looks)
    assert misled / lives <= 0.05


def test_a_drift_is_seen_in_time() -> None:
    found = weekly_differences(np.random.default_rng(1), shift=0.05)
    assert symmetric_mean(found[:52], rho=RHO).lower > 0.0


def test_a_handful_of_pairs_rules_nothing_out() -> None:
    few = symmetric_mean([0.2] * 5, rho=RHO)
    assert (few.lower, few.upper) == (-1.0, 1.0)
    assert few.mean == pytest.approx(0.2)


def test_the_interval_closes_as_pairs_come_in() -> None:
    found = weekly_differences(np.random.default_rng(2))
    widths = [
        one.upper - one.lower for n in (20, 52, 104) if (one := symmetric_mean(found[:n], rho=RHO))
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.06


def test_what_is_no_difference_of_scores_is_refused() -> None:
    for wrong in ([], [math.nan], [1.5]):
        with pytest.raises(ValueError, match="expected"):
            symmetric_mean(wrong, rho=RHO)
    with pytest.raises(ValueError, match="rho"):
        symmetric_mean([0.1], rho=0.0)
