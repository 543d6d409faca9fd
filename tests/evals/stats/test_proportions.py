"""Bounds of pass rates agree with scipy and statsmodels, and with their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.proportion import proportion_confint

from evals.stats.paired_binary import mcnemar, tango_bounds, tango_z
from evals.stats.proportions import clopper_pearson_bounds, wilson_bounds

TABLES = [(0, 1), (1, 1), (0, 20), (20, 20), (3, 200), (199, 200), (470, 500), (91234, 100000)]
counts = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 300)).filter(sum)


@pytest.mark.parametrize(("right", "n"), TABLES)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.9999])
def test_one_proportion_agrees_with_scipy_and_statsmodels(
    right: int, n: int, confidence: float
) -> None:
    exact = clopper_pearson_bounds(right, n, confidence=confidence)
    for side, place in (("greater", 0), ("less", 1)):
        reference = stats.binomtest(right, n, alternative=side).proportion_ci(confidence, "exact")
        assert exact[place] == pytest.approx(reference[place], abs=1e-9)
    expected = proportion_confint(right, n, alpha=2 * (1 - confidence), method="wilson")
    assert wilson_bounds(right, n, confidence=confidence) == pytest.approx(expected, abs=1e-9)


def test_many_proportions_at_once_are_each_alone() -> None:
    right, n = np.array([0, 4, 9]), np.array([10, 10, 10])
    for bounds in (wilson_bounds, clopper_pearson_bounds):
        together = bounds(right, n)
        for place in range(3):
            alone = bounds(right[place], n[place])
            assert (together[0][place], together[1][place]) == (alone[0], alone[1])


def test_clopper_pearson_is_wrong_at_most_as_often_as_it_says() -> None:
    n = 40
    lower, upper = clopper_pearson_bounds(np.arange(n + 1), n, confidence=0.95)
    for rate in np.linspace(0.01, 0.99, 99):
        chances = stats.binom.pmf(np.arange(n + 1), n, rate)
        assert chances[lower > rate].sum() <= 0.05
        assert chances[upper < rate].sum() <= 0.05


@pytest.mark.parametrize(
    ("wins", "losses", "n"), [(1, 7, 21), (0, 1, 44), (12, 2, 50), (70, 90, 2000)]
)
def test_tangos_bounds_are_where_his_statistic_reaches_the_quantile(
    wins: int, losses: int, n: int
) -> None:
    lower, upper = tango_bounds(wins, losses, n, confidence=0.95)
    quantile = stats.norm.ppf(0.95)
    low = optimize.brentq(
        lambda d: tango_z(wins, losses, n, d) - quantile, -0.999, (wins - losses) / n
    )
    high = optimize.brentq(
        lambda d: tango_z(wins, losses, n, d) + quantile, (wins - losses) / n, 0.999
    )
    assert (float(lower), float(upper)) == pytest.approx((low, high), abs=1e-9)


@settings(deadline=None)
@given(counts)
def test_tango_without_margin_is_mcnemars_statistic(table: tuple[int, int, int]) -> None:
    wins, losses, _ = table
    expected = (wins - losses) / math.sqrt(wins + losses) if wins + losses else 0.0
    assert float(tango_z(wins, losses, sum(table), 0.0)) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(counts, st.floats(0.6, 0.9999))
def test_swapping_the_models_mirrors_tangos_interval(
    table: tuple[int, int, int], confidence: float
) -> None:
    wins, losses, _ = table
    one = tango_bounds(wins, losses, sum(table), confidence=confidence)
    other = tango_bounds(losses, wins, sum(table), confidence=confidence)
    assert (one[0], one[1]) == (-other[1], -other[0])
    assert one[1] - one[0] > 0.0


def test_a_look_that_cannot_decide_has_bounds_that_say_nothing() -> None:
    lower, upper = tango_bounds(5, 3, 100, critical=math.inf)
    assert (float(lower), float(upper)) == (-1.0, 1.0)


@pytest.mark.parametrize(("wins", "losses"), [(1, 7), (86, 150), (0, 6), (12, 3)])
def test_mcnemar_agrees_with_statsmodels_and_the_binomial(wins: int, losses: int) -> None:
    found = mcnemar(wins, losses)
    expected = reference_mcnemar([[0, wins], [losses, 0]], exact=True).pvalue
    assert found.p_exact == pytest.approx(expected, rel=1e-9)
    worse = stats.binomtest(losses, wins + losses, alternative="greater").pvalue
    assert found.p_worse_exact == pytest.approx(worse, rel=1e-9)
    both = 2.0 * stats.binom.cdf(min(wins, losses), wins + losses, 0.5)
    expected = both - stats.binom.pmf(min(wins, losses), wins + losses, 0.5)
    assert found.p_midp == pytest.approx(expected, rel=1e-9)


def test_without_a_discordant_pair_mcnemar_has_nothing_to_say() -> None:
    assert mcnemar(0, 0) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("table", [(5, 4, 8), (-1, 0, 5), (0, 0, 0)])
def test_counts_that_cannot_be_are_refused(table: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"n|wins"):
        tango_bounds(*table)
    with pytest.raises(ValueError, match=r"n|successes"):
        wilson_bounds(table[2] + 1, table[2])
