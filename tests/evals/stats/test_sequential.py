"""Looks: the boundaries hold alpha, the plan is kept to, decisions are what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evals.stats.futility import conditional_power, futility_boundaries, implied_z, is_futile
from evals.stats.interval import Interval
from evals.stats.operating_characteristics import operating_characteristics
from evals.stats.paired_binary import tango_z
from evals.stats.score_intervals import paired_interval
from evals.stats.sequential import decide_at, decide_z, look_at, plan_looks
from evals.stats.spending import alpha_spent, spending_boundaries

TEN = [look / 10 for look in range(1, 11)]


def interval(lower: float, upper: float, confidence: float = 0.95) -> Interval:
    return Interval(
        lower=lower,
        upper=upper,
        estimate=(lower + upper) / 2,
        n=100,
        method="made up",
        confidence=confidence,
    )


@pytest.mark.parametrize("spending", ["power", "obf", "pocock"])
def test_the_boundaries_spend_alpha_as_a_multivariate_normal_says(spending: str) -> None:
    times = np.array([0.2, 0.5, 1.0])
    bounds = spending_boundaries(times.tolist(), alpha=0.05, spending=spending)  # type: ignore[arg-type]
    spent = alpha_spent(times.tolist(), alpha=0.05, spending=spending)  # type: ignore[arg-type]
    covariance = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    for look in range(1, 4):
        within = stats.multivariate_normal(cov=covariance[:look, :look]).cdf(bounds[:look])
        assert 1.0 - float(within) == pytest.approx(spent[look - 1], abs=1e-4)


def test_one_look_is_the_plain_test() -> None:
    assert spending_boundaries([1.0]) == (pytest.approx(stats.norm.ppf(0.95)),)


def test_plain_looks_would_promote_far_too_often() -> None:
    plain = operating_characteristics(TEN, [1.6449] * 10, drift=0.0).power
    planned = operating_characteristics(TEN, spending_boundaries(TEN), drift=0.0).power
    assert plain > 0.15
    assert planned == pytest.approx(0.05, abs=1e-6)


def test_stopping_probabilities_are_those_of_simulated_paths() -> None:
    rng = np.random.default_rng(1)
    drift, paths = 1.5, 40_000
    steps = rng.normal(drift / 10, math.sqrt(0.1), size=(paths, 10))
    z = np.cumsum(steps, axis=1) / np.sqrt(TEN)
    upper = np.array(spending_boundaries(TEN))
    lower = np.array(futility_boundaries(TEN, upper.tolist(), drift=3.0))
    out = np.hstack([(z >= upper) | (z <= lower), np.ones((paths, 1), dtype=bool)])
    first = np.minimum(np.argmax(out, axis=1), 9)
    found = operating_characteristics(TEN, upper.tolist(), drift=drift, lower=lower.tolist())
    promoted = z[np.arange(paths), first] >= upper[first]
    assert found.power == pytest.approx(promoted.mean(), abs=0.01)
    assert found.expected_fraction == pytest.approx((first + 1).mean() / 10, abs=0.01)


def test_a_narrow_step_between_looks_is_integrated_as_well() -> None:
    fractions = [0.5, 0.501, 1.0]
    bounds = spending_boundaries(fractions)
    found = operating_characteristics(fractions, bounds, drift=0.0)
    assert found.power == pytest.approx(0.05, abs=1e-6)


def test_so_little_alpha_that_no_look_can_decide_gives_no_boundary() -> None:
    bounds = spending_boundaries([0.01, 1.0], spending="obf")
    assert bounds[0] == math.inf
    look = look_at([10], 1000, final=False, spending="obf")
    assert not look.can_decide
    assert decide_z(50.0, look) == "CONTINUE"


@settings(deadline=None)
@given(st.integers(1, 5000), st.integers(1, 12))
def test_a_plan_ends_with_the_last_case_and_starts_with_thirty(n_max: int, looks: int) -> None:
    plan = plan_looks(n_max, looks=looks)
    assert plan.sizes[-1] == n_max
    assert plan.fractions[-1] == 1.0
    assert list(plan.sizes) == sorted(set(plan.sizes))
    assert len(plan.sizes) <= looks
    assert plan.sizes[0] >= min(30, n_max)
    assert plan.looks[-1].final
    assert plan.looks[-1].spent == pytest.approx(0.05)


def test_looks_as_planned_have_the_planned_boundaries() -> None:
    plan = plan_looks(1000)
    for number in range(1, 11):
        look = look_at(plan.sizes[:number], 1000, final=number == 10)
        assert look.boundary == pytest.approx(plan.boundaries[number - 1], abs=1e-8)
        assert look.confidence == pytest.approx(stats.norm.cdf(look.boundary))


def test_unplanned_looks_still_hold_alpha() -> None:
    sizes = [137, 140, 733]
    bounds = [look_at(sizes[:k], 900, final=False).boundary for k in (1, 2, 3)]
    last = look_at([*sizes, 850], 900, final=True)
    assert last.final
    assert last.spent == pytest.approx(0.05)
    fractions = [size / 850 for size in [*sizes, 850]]
    found = operating_characteristics(fractions, [*bounds, last.boundary], drift=0.0)
    assert found.power <= 0.05


def test_looks_that_go_backwards_or_too_far_are_refused() -> None:
    with pytest.raises(ValueError, match="rise"):
        look_at([50, 50], 100, final=False)
    with pytest.raises(ValueError, match="planned"):
        look_at([101], 100, final=False)
    with pytest.raises(ValueError, match="empty"):
        look_at([], 100, final=True)
    with pytest.raises(ValueError, match="alpha"):
        plan_looks(100, alpha=0.6)
    with pytest.raises(ValueError, match="cases"):
        plan_looks(0)


def test_equality_with_the_bar_decides_nothing() -> None:
    final = look_at([100], 100, final=True)
    early = look_at([50], 100, final=False)
    assert decide_at(interval(-0.03, 0.01), -0.03, final) == "INCONCLUSIVE"
    assert decide_at(interval(-0.029, 0.01), -0.03, final) == "PASS"
    assert decide_at(interval(-0.09, -0.031), -0.03, final) == "FAIL"
    assert decide_at(interval(-0.04, 0.01, early.confidence), -0.03, early) == "CONTINUE"


def test_an_interval_at_the_plain_level_is_not_judged_at_a_look() -> None:
    with pytest.raises(ValueError, match="judged at a look"):
        decide_at(interval(-0.02, 0.01), -0.03, look_at([50], 100, final=False))


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 9))
def test_bounds_at_a_look_decide_what_the_statistic_decides(
    wins: int, losses: int, number: int
) -> None:
    look = plan_looks(1000).looks[number]
    n = 100 * (number + 1)
    difference = np.repeat([1.0, -1.0, 0.0], [wins, losses, n - wins - losses])
    found = paired_interval(
        np.maximum(difference, 0.0), np.maximum(-difference, 0.0), confidence=look.confidence
    )
    z = float(tango_z(wins, losses, n, -0.03))
    if abs(abs(z) - look.boundary) > 1e-6:
        assert decide_at(found, -0.03, look) == decide_z(z, look)
    assert (implied_z(found, -0.03) >= look.boundary) == (found.lower >= -0.03)


def test_conditional_power_is_that_of_simulated_futures() -> None:
    rng = np.random.default_rng(2)
    future = 0.8 * math.sqrt(0.4) + rng.normal(2.5 * 0.6, math.sqrt(0.6), size=200_000)
    found = conditional_power(0.8, 0.4, drift=2.5, final_boundary=1.85)
    assert found == pytest.approx(np.mean(future >= 1.85), abs=0.005)
    assert conditional_power(1.9, 1.0, drift=0.0, final_boundary=1.85) == 1.0


def test_a_check_is_futile_below_its_futility_boundary() -> None:
    plan = plan_looks(1000)
    limits = futility_boundaries(plan.fractions, plan.boundaries, drift=2.9)
    for look, limit in zip(plan.looks[:-1], limits[:-1], strict=True):
        at = conditional_power(limit, look.fraction, drift=2.9, final_boundary=plan.boundaries[-1])
        assert at == pytest.approx(0.2)


def test_a_candidate_well_below_the_margin_is_given_up_and_an_equal_one_is_not() -> None:
    look = plan_looks(1000).looks[4]
    last = plan_looks(1000).boundaries[-1]
    for losses, futile in ((20, False), (55, True)):
        difference = np.repeat([1.0, -1.0, 0.0], [20, losses, 480 - losses])
        found = paired_interval(
            np.maximum(difference, 0.0), np.maximum(-difference, 0.0), confidence=look.confidence
        )
        given_up = is_futile(found, -0.03, look.fraction, hoped_for=0.0, final_boundary=last)
        assert given_up is futile
        assert not is_futile(found, -0.03, 1.0, hoped_for=0.0, final_boundary=last)
