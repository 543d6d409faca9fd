"""The bounded score test is Wilson's, Tango's, and what its definition says in between."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint

from evals.stats.bounded import bounded_score_bounds, bounded_score_test
from evals.stats.paired_binary import tango_bounds
from evals.stats.proportions import wilson_bounds

scores = st.lists(
    st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0.0, 1.0)), min_size=1, max_size=60
)
confidences = st.floats(0.6, 0.9999)


def by_definition(values: np.ndarray, null: float, lo: float, hi: float) -> float:
    """z with the restricted likelihood maximised numerically, as the definition reads."""
    support, counts = np.unique(np.concatenate([values, [lo, hi]]), return_counts=True)
    counts[[0, -1]] -= 1

    def gain(multiplier: float) -> float:
        weights = counts / (values.size + multiplier * (support - null))
        return float(weights @ (support - null))

    if values.mean() < null:
        return -by_definition(lo + hi - values, lo + hi - null, lo, hi)
    most = values.size / (null - lo)
    top = most * (1.0 - 1e-13)
    multiplier = optimize.brentq(gain, 0.0, top) if gain(top) < 0.0 else most
    # At the cap nothing is observed on the end itself: 0 / 0 there, and the rest goes to it.
    divisor = values.size + multiplier * (support - null)
    weights = np.where(counts > 0, counts / np.where(counts > 0, divisor, 1.0), 0.0)
    weights[0] += 1.0 - weights.sum()
    variance = float(weights @ (support - null) ** 2)
    return math.sqrt(values.size) * (values.mean() - null) / math.sqrt(variance)


@pytest.mark.parametrize("seed", range(20))
def test_the_statistic_is_the_one_defined_by_the_restricted_likelihood(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.round(rng.beta(2, 1, size=rng.integers(2, 80)) * 2 - 1, rng.integers(0, 4))
    null = float(rng.uniform(-0.95, 0.95))
    found = bounded_score_test(values, null, lo=-1.0, hi=1.0)
    assert found.z == pytest.approx(by_definition(values, null, -1.0, 1.0), abs=1e-7)
    assert found.p_value == pytest.approx(stats.norm.sf(found.z))


@pytest.mark.parametrize(("right", "n"), [(0, 20), (1, 20), (15, 148), (50, 50), (470, 500)])
def test_on_pass_fail_scores_it_is_wilsons_interval(right: int, n: int) -> None:
    values = np.repeat([1.0, 0.0], [right, n - right])
    lower, upper = bounded_score_bounds(values, confidence=0.95)
    assert (lower, upper) == pytest.approx(wilson_bounds(right, n, confidence=0.95), abs=1e-11)
    expected = proportion_confint(right, n, alpha=0.1, method="wilson")
    assert (lower, upper) == pytest.approx(expected, abs=1e-11)


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200), confidences)
def test_on_paired_pass_fail_scores_it_is_tangos_interval(
    wins: int, losses: int, ties: int, confidence: float
) -> None:
    n = max(1, wins + losses + ties)
    values = np.repeat([1.0, -1.0, 0.0], [wins, losses, n - wins - losses])
    found = bounded_score_bounds(values, confidence=confidence, lo=-1.0, hi=1.0)
    expected = tango_bounds(wins, losses, n, confidence=confidence)
    assert found == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(scores, confidences)
def test_the_statistic_at_a_bound_is_the_quantile(values: list[float], confidence: float) -> None:
    lower, upper = bounded_score_bounds(values, confidence=confidence)
    quantile = stats.norm.ppf(confidence)
    # Shares below a millionth leave the statistic to rounding.
    if 1e-6 < lower < np.mean(values) - 1e-6:
        assert bounded_score_test(values, lower).z == pytest.approx(quantile, rel=1e-4)
    if np.mean(values) + 1e-6 < upper < 1.0 - 1e-6:
        assert bounded_score_test(values, upper).z == pytest.approx(-quantile, rel=1e-4)


@settings(deadline=None)
@given(scores, confidences)
def test_the_interval_holds_the_mean_and_never_has_width_zero(
    values: list[float], confidence: float
) -> None:
    lower, upper = bounded_score_bounds(values, confidence=confidence)
    assert 0.0 <= lower <= np.mean(values) + 1e-12
    assert np.mean(values) - 1e-12 <= upper <= 1.0
    assert upper - lower > 1e-4


@settings(deadline=None)
@given(scores, st.data())
def test_a_better_score_never_lowers_a_bound(values: list[float], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(values) - 1))
    better = list(values)
    better[place] = data.draw(st.floats(values[place], 1.0))
    before, after = bounded_score_bounds(values), bounded_score_bounds(better)
    assert after[0] >= before[0] - 1e-9
    assert after[1] >= before[1] - 1e-9


@settings(deadline=None)
@given(scores, confidences, confidences)
def test_more_confidence_never_narrows_it(values: list[float], one: float, other: float) -> None:
    less, more = sorted([one, other])
    narrow = bounded_score_bounds(values, confidence=less)
    wide = bounded_score_bounds(values, confidence=more)
    assert wide[0] <= narrow[0] + 1e-12
    assert wide[1] >= narrow[1] - 1e-12


@settings(deadline=None)
@given(scores, confidences)
def test_turning_the_scale_round_turns_the_interval_round(
    values: list[float], confidence: float
) -> None:
    lower, upper = bounded_score_bounds(values, confidence=confidence)
    mirrored = bounded_score_bounds([1.0 - value for value in values], confidence=confidence)
    assert mirrored == pytest.approx((1.0 - upper, 1.0 - lower), abs=1e-9)


@settings(deadline=None)
@given(scores, st.randoms(use_true_random=False))
def test_the_order_of_the_cases_does_not_matter(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert bounded_score_bounds(shuffled) == bounded_score_bounds(values)


@settings(deadline=None)
@given(scores, st.floats(1.0, 20.0))
def test_clustering_only_widens_it(values: list[float], effect: float) -> None:
    alone = bounded_score_bounds(values)
    together = bounded_score_bounds(values, design_effect=effect)
    assert together[0] <= alone[0] + 1e-12
    assert together[1] >= alone[1] - 1e-12


def test_another_scale_stretches_the_interval() -> None:
    values = np.array([0.2, 0.9, 1.0, 0.4, 1.0])
    lower, upper = bounded_score_bounds(values)
    assert bounded_score_bounds(1.0 + 4.0 * values, lo=1.0, hi=5.0) == pytest.approx(
        (1.0 + 4.0 * lower, 1.0 + 4.0 * upper)
    )


def test_an_impossible_null_is_rejected_without_end() -> None:
    assert bounded_score_test([0.5, 0.7], 0.0).z == math.inf
    assert bounded_score_test([0.0, 0.0], 0.0).z == 0.0
    with pytest.raises(ValueError, match="outside"):
        bounded_score_test([0.5], 1.5)


@pytest.mark.parametrize("bad", [[math.nan], [math.inf], [], [1.2], [[0.5]]])
def test_what_is_no_score_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="values"):
        bounded_score_bounds(bad)
