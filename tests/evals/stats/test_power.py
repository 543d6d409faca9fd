"""Planning, multiplicity, decisions, betting and judges with labels."""

from __future__ import annotations

import math
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from evals.stats.betting import betting_bounds, betting_capital, log_e_value
from evals.stats.bounded import bounded_score_bounds
from evals.stats.decision import decide
from evals.stats.multiplicity import holm
from evals.stats.paired_binary import tango_bounds
from evals.stats.power import (
    check_correlation,
    detectable_margin,
    expected_share,
    min_clusters_paired,
    min_n_absolute,
    min_n_paired,
    overall_power,
    paired_power,
    paired_sample_size,
)
from evals.stats.ppi import ppi_mean
from evals.stats.proportions import clopper_pearson_bounds
from evals.stats.score_intervals import paired_interval
from evals.stats.sequential import plan_looks


@pytest.mark.parametrize("margin", [0.01, 0.02, 0.03, 0.04, 0.05, 0.2])
def test_the_smallest_n_passes_when_flawless_and_one_less_does_not(margin: float) -> None:
    n = min_n_paired(margin)
    assert tango_bounds(0, 0, n)[0] > -margin >= tango_bounds(0, 0, n - 1)[0]
    groups = min_clusters_paired(margin)
    for clusters, passes in ((groups, True), (groups - 1, False)):
        same = np.ones(clusters * 2)
        names = np.repeat(np.arange(clusters), 2)
        assert (paired_interval(same, same, clusters=names).lower > -margin) is passes


@pytest.mark.parametrize("bar", [0.5, 0.9, 0.95, 0.99, 0.995])
def test_the_smallest_n_for_a_pass_rate_passes_when_all_are_right(bar: float) -> None:
    n = min_n_absolute(bar)
    assert clopper_pearson_bounds(n, n)[0] > bar >= clopper_pearson_bounds(n - 1, n - 1)[0]


def test_a_sample_size_has_the_power_it_was_planned_for() -> None:
    n = paired_sample_size(0.12, 0.03, power=0.9)
    assert paired_power(n, 0.12, 0.03) == pytest.approx(0.9, abs=0.02)
    assert paired_power(n, 0.12, 0.03, true_diff=-0.03) == pytest.approx(0.05, abs=0.005)
    assert detectable_margin(n, 0.12) == pytest.approx(0.03, rel=0.01)


def test_power_is_the_share_of_passes_in_simulation() -> None:
    rng = np.random.default_rng(1)
    wins, losses, _ = rng.multinomial(300, [0.05, 0.06, 0.89], size=20_000).T
    passed = tango_bounds(wins, losses, 300)[0] > -0.04
    found = paired_power(300, 0.11, 0.04, true_diff=-0.01)
    assert found == pytest.approx(passed.mean(), abs=0.01)


def test_what_no_sample_can_show_is_refused() -> None:
    with pytest.raises(ValueError, match="above -margin"):
        paired_sample_size(0.1, 0.03, true_diff=-0.03)
    with pytest.raises(ValueError, match="discordance"):
        paired_sample_size(0.01, 0.03, true_diff=0.02)
    with pytest.raises(ValueError, match="margin"):
        min_n_paired(0.0)
    with pytest.raises(ValueError, match="no suite can show"):
        min_n_absolute(1.0)


def test_several_checks_together_pass_less_often_and_correlation_helps() -> None:
    together = [
        overall_power([0.87] * 5, rho, rng=np.random.default_rng(1)) for rho in (0.0, 0.5, 0.99)
    ]
    assert together[0] == pytest.approx(0.87**5, abs=0.01)
    assert together[1] == pytest.approx(0.64, abs=0.015)
    assert together[2] > 0.82
    with pytest.raises(ValueError, match="correlation"):
        overall_power([0.8, 0.8], 1.5, rng=np.random.default_rng(1))


def test_correlation_is_taken_from_past_scores() -> None:
    rng = np.random.default_rng(2)
    table = np.column_stack([rng.normal(size=50), rng.normal(size=50), np.zeros(50)])
    found = check_correlation(table)
    assert found[0, 1] == pytest.approx(np.corrcoef(table[:, 0], table[:, 1])[0, 1])
    assert found[0, 2] == 0.0
    assert found[2, 2] == 1.0


def test_looking_early_saves_most_where_the_candidate_is_clearly_good_or_bad() -> None:
    plan = plan_looks(1300)
    shares = [
        expected_share(plan, 0.13, 0.03, true_diff=factor * 0.03) for factor in (1, 0, -0.5, -3)
    ]
    assert shares[0] < 0.35
    assert shares[3] < 0.3
    assert shares[0] < shares[1] < shares[2] < 0.9


@pytest.mark.slow
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
def test_holm_is_statsmodels_holm(p_values: list[float]) -> None:
    with patch("gc.collect"):  # theirs collects garbage each time
        reject, adjusted, _, _ = multipletests(p_values, 0.05, "holm")
    found = holm(p_values)
    assert found.adjusted == pytest.approx(adjusted)
    clear = np.abs(adjusted - 0.05) > 1e-9
    assert (found.reject == reject)[clear].all()


def test_a_bound_that_is_nan_never_decides() -> None:
    with pytest.raises(ValueError, match="lower is NaN"):
        decide(math.nan, 1.0, 0.5)
    assert decide(0.6, 0.7, 0.5, n=10, min_n=59) == "INCONCLUSIVE"


def test_betting_bounds_hold_at_all_times_at_once() -> None:
    rng = np.random.default_rng(3)
    crossed = 0
    for _ in range(200):
        x = (rng.random(150) < 0.8).astype(float)
        crossed += log_e_value(x, 0.8) >= math.log(20)
    assert crossed / 200 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)


def test_betting_bounds_narrow_with_time_and_hold_the_mean() -> None:
    x = (np.random.default_rng(4).random(800) < 0.7).astype(float)
    early, late = betting_bounds(x[:80]), betting_bounds(x)
    assert early.lower <= late.lower < 0.7 < late.upper <= early.upper
    # They are the price of looking at any time: wider than the bounds at a fixed n.
    fixed = bounded_score_bounds(x)
    assert late.lower < fixed[0]
    mirrored = betting_bounds(1.0 - x)
    assert (mirrored.lower, mirrored.upper) == pytest.approx(
        (1 - late.upper, 1 - late.lower), abs=1e-6
    )


def test_the_gamblers_capital_is_a_product_of_fair_bets() -> None:
    x = np.array([1.0, 0.0, 1.0])
    capital = betting_capital(x, 0.5, bet=0.4)
    assert capital.up == pytest.approx(np.cumprod(1 + 0.4 * (x - 0.5)))
    assert capital.down == pytest.approx(np.cumprod(1 - 0.4 * (x - 0.5)))
    with pytest.raises(ValueError, match="bet must be"):
        betting_capital(x, 0.5, bet=-0.4)
    with pytest.raises(ValueError, match="m must be"):
        betting_capital(x, 1.0)


def test_a_gambler_who_stakes_everything_is_ruined_and_never_in_debt() -> None:
    capital = betting_capital([0.0, 1.0, 1.0], 0.25, bet=100.0)
    assert capital.up.tolist() == [0.0, 0.0, 0.0]
    assert capital.down == pytest.approx([4 / 3, 0.0, 0.0])


def test_a_perfect_judge_is_worth_a_label_on_every_case() -> None:
    rng = np.random.default_rng(6)
    human, unseen = (rng.random(100) < 0.8) * 1.0, (rng.random(5000) < 0.8) * 1.0
    found = ppi_mean(human, human, unseen)
    alone = stats.t.interval(0.9, 99, human.mean(), stats.sem(human))
    assert found.width < 0.3 * (alone[1] - alone[0])
    assert found.detail["lambda"] > 0.9


def test_a_judge_that_says_nothing_leaves_the_labels_alone() -> None:
    rng = np.random.default_rng(7)
    human = (rng.random(100) < 0.8) * 1.0
    found = ppi_mean(human, np.ones(100), np.ones(900))
    assert found.estimate == pytest.approx(human.mean())
    assert found.detail["lambda"] == 0.0


def test_a_biased_judge_is_corrected_by_the_labels() -> None:
    rng = np.random.default_rng(8)
    inside = []
    for _ in range(400):
        human = (rng.random(1500) < 0.7) * 1.0
        judge = np.where(rng.random(1500) < 0.3, 1.0, human)
        assert judge.mean() > 0.74  # the judge alone would always be wrong
        found = ppi_mean(human[:300], judge[:300], judge[300:])
        inside.append(found.lower <= 0.7)
    assert np.mean(inside) > 0.91


def test_labels_that_all_agree_are_never_certain() -> None:
    found = ppi_mean(np.ones(50), np.ones(50), np.ones(500))
    assert found.lower < 0.96
    assert found.upper == 1.0
