"""How many cases flawless answers need when a share is lost: what the gate's own methods say, case by case."""

from __future__ import annotations

import math
from typing import Any

import pytest
from support.results import policy_of

from evals.checks.check import Check
from evals.metrics.estimates import MetricSpec
from evals.planning.losses import least_with_losses, out_of_reach
from evals.stats.paired_binary import tango_z
from evals.stats.power import min_n_absolute, min_n_paired
from evals.stats.validation import normal_critical

EXACT = MetricSpec(name="exact", family="mean", column="exact")


def check(kind: Any, threshold: float, metric: str = "exact") -> Check:
    return Check(metric=metric, kind=kind, threshold=threshold)


@pytest.mark.parametrize("lost", [0.001, 0.01, 0.02])
def test_a_comparison_needs_so_many_that_the_lost_ones_are_borne(lost: float) -> None:
    least = least_with_losses(check("max_drop", 0.03), EXACT, 0.95, lost)
    assert least is not None
    assert least > min_n_paired(0.03)
    z = [float(tango_z(0, math.ceil(lost * n), n, -0.03)) for n in (least - 1, least)]
    assert z[0] <= normal_critical(0.95) < z[1]


@pytest.mark.parametrize("lost", [0.03, 0.2])
def test_a_margin_no_wider_than_the_losses_is_out_of_reach(lost: float) -> None:
    assert least_with_losses(check("max_drop", 0.03), EXACT, 0.95, lost) is None


def test_a_pass_rate_needs_more_and_one_above_what_is_answered_is_out_of_reach() -> None:
    bar = check("at_least", 0.95)
    some = least_with_losses(bar, EXACT, 0.95, 0.01)
    assert some is not None
    assert some > min_n_absolute(0.95) == 59
    assert least_with_losses(bar, EXACT, 0.95, 0.05) is None


def test_a_lost_answer_is_slower_than_any_bound() -> None:
    p95 = MetricSpec(
        name="latency_p95_ms",
        family="quantile",
        column="latency_ms",
        quantile=0.95,
        higher_is_better=False,
        hi=math.inf,
    )
    bar = check("at_most", 900.0, "latency_p95_ms")
    some = least_with_losses(bar, p95, 0.95, 0.01)
    assert some is not None
    assert some > 59
    assert least_with_losses(bar, p95, 0.95, 0.05) is None


def test_without_losses_nothing_more_is_needed() -> None:
    assert least_with_losses(check("max_drop", 0.03), EXACT, 0.95, 0.0) == 1


def test_the_checks_that_losses_put_out_of_reach_are_named(folder_suite: Any) -> None:
    drop = {"metric": "exact", "kind": "max_drop", "threshold": 0.03}
    level = {"metric": "exact", "kind": "at_least", "threshold": 0.5}
    gate, suites = policy_of(drop, level), [folder_suite(400)]
    assert out_of_reach(gate, suites, 0.01) == ()
    (named,) = out_of_reach(gate, suites, 0.04)
    assert "max_drop 0.03" in named
    assert out_of_reach(gate, suites, 0.04, roles=1) == ()
