"""The promises, measured: small seeded simulations of the functions the gate calls."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evals.stats.futility import is_futile
from evals.stats.label_metrics import label_metric_interval
from evals.stats.power import paired_power
from evals.stats.score_intervals import absolute_interval, paired_interval
from evals.stats.sequential import decide_at, plan_looks
from evals.stats.unbounded import relative_mean_interval


def no_more_than(rate: float, count: int) -> float:
    """The rate and what a simulation of this size may be off by (two standard errors)."""
    return rate + 2.0 * math.sqrt(rate * (1.0 - rate) / count)


@pytest.mark.parametrize("n", [100, 200, 500, 2000])
@pytest.mark.parametrize(("psi", "margin"), [(0.04, 0.02), (0.12, 0.03), (0.3, 0.05)])
def test_a_candidate_worse_by_the_margin_is_promoted_about_one_time_in_twenty(
    n: int, psi: float, margin: float
) -> None:
    assert paired_power(n, psi, margin, true_diff=-margin) <= 0.058


@pytest.mark.slow
def test_graded_scores_keep_their_promise() -> None:
    rng = np.random.default_rng(1)
    promoted = 0
    for _ in range(2000):
        difference = rng.choice([-0.5, -0.25, 0.0, 0.25], size=100, p=[0.08, 0.2, 0.56, 0.16])
        found = paired_interval(np.maximum(difference, 0.0), np.maximum(-difference, 0.0))
        promoted += found.lower > -0.05
    assert promoted / 2000 <= no_more_than(0.055, 2000)


def test_flawless_looking_samples_do_not_promote_a_rare_disaster() -> None:
    rng = np.random.default_rng(2)
    promoted = 0
    for _ in range(2000):
        difference = -(rng.random(80) < 0.05).astype(float)
        found = paired_interval(np.maximum(difference, 0.0), np.maximum(-difference, 0.0))
        promoted += found.lower > -0.05
    assert promoted / 2000 <= no_more_than(0.05, 2000)


@pytest.mark.slow
def test_clusters_are_not_counted_as_cases() -> None:
    rng = np.random.default_rng(3)
    honest = naive = 0
    for _ in range(1000):
        clusters = np.repeat(np.arange(25), 8)
        pulled = rng.choice([-1.0, 0.0, 1.0], size=25, p=[0.25, 0.6, 0.15])[clusters]
        own = rng.choice([-1.0, 0.0, 1.0], size=200, p=[0.1, 0.8, 0.1])
        difference = np.where(rng.random(200) < 0.5, pulled, own)
        columns = np.maximum(difference, 0.0), np.maximum(-difference, 0.0)
        honest += paired_interval(*columns, clusters=clusters).lower > -0.05
        naive += paired_interval(*columns).lower > -0.05
    assert honest / 1000 <= no_more_than(0.06, 1000)
    assert naive / 1000 > 0.09


@pytest.mark.parametrize("shape", ["one of 30 %", "as Zipf has them"])
def test_clusters_of_unequal_size_keep_the_promise_too(shape: str) -> None:
    weights = np.full(60, 0.7 / 59) if shape == "one of 30 %" else 1.0 / np.arange(1, 61)
    weights[0] = 0.3 if shape == "one of 30 %" else weights[0]
    sizes = np.maximum(1, np.round(400 * weights / weights.sum())).astype(int)
    clusters = np.repeat(np.arange(60), sizes)
    rng, promoted, count = np.random.default_rng(5), 0, 1000
    for _ in range(count):
        shared = rng.normal(size=60)[clusters] + rng.normal(size=clusters.size)
        passed = (shared < math.sqrt(2.0) * 1.2815516).astype(float)  # at the bar, 0.9
        if passed.mean() > 0.9:  # below it there is nothing to work out
            promoted += absolute_interval(passed, clusters=clusters).lower > 0.9
    assert promoted / count <= 0.065


@pytest.mark.slow
def test_macro_f1_keeps_its_promise() -> None:
    rng = np.random.default_rng(4)
    promoted = 0
    for _ in range(1000):
        truth = rng.choice(3, size=150, p=[0.6, 0.25, 0.15])
        new, old = (
            np.where(rng.random(150) < 0.85, truth, rng.integers(0, 3, size=150)) for _ in range(2)
        )
        found = label_metric_interval(truth, new, baseline=old, labels=range(3), metric="macro_f1")
        promoted += found.lower > 0.0
    assert promoted / 1000 <= no_more_than(0.055, 1000)


def test_a_cost_ratio_with_heavy_tails_keeps_its_promise() -> None:
    rng = np.random.default_rng(5)
    accepted = 0
    for _ in range(2000):
        new, old = 1.1 * rng.lognormal(sigma=1.0, size=100), rng.lognormal(sigma=1.0, size=100)
        accepted += relative_mean_interval(new, old).upper < 1.1
    assert accepted / 2000 <= no_more_than(0.055, 2000)


@pytest.mark.slow
def test_looking_ten_times_promotes_no_oftener_and_saves_calls() -> None:
    rng = np.random.default_rng(6)
    plan = plan_looks(1250)
    last, margin = plan.boundaries[-1], 0.03
    for truth, most_promoted, most_used in ((-margin, 0.05, 0.75), (margin, 1.0, 0.4)):
        promoted = used = 0
        for _ in range(1500):
            draw = rng.random(1250)
            won, lost = draw < (0.12 + truth) / 2, draw > 1.0 - (0.12 - truth) / 2
            for size, look in zip(plan.sizes, plan.looks, strict=True):
                found = paired_interval(
                    won[:size] * 1.0, lost[:size] * 1.0, confidence=look.confidence
                )
                decision = decide_at(found, -margin, look)
                if decision != "CONTINUE" or is_futile(
                    found, -margin, look.fraction, hoped_for=0.0, final_boundary=last
                ):
                    break
            promoted += decision == "PASS"
            used += size
        assert promoted / 1500 <= no_more_than(most_promoted, 1500)
        assert used / 1500 / 1250 <= most_used
