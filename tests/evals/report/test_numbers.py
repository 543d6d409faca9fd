"""Numbers for reading: rounded for display, and never so that a decision looks like another one."""

from __future__ import annotations

import math

import pytest

from evals.report.numbers import digits_for, duration, figure, instant, percentage, signed, unit_of


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("exact_match", "score"),
        ("urgency.macro_f1", "score"),
        ("latency_p95_ms", "ms"),
        ("cost_usd_per_1k", "usd"),
        ("prompt_tokens_mean", "tokens"),
        ("terms_kept", "score"),
    ],
)
def test_the_unit_is_told_by_the_metrics_name(metric: str, unit: str) -> None:
    assert unit_of(metric) == unit


def test_values_carry_their_unit() -> None:
    assert figure(0.8415, "score") == "0.842"
    assert figure(1842.2, "ms") == "1,842 ms"
    assert figure(0.13124, "usd") == "$0.1312"
    assert figure(1.08, "ratio") == "+8.0 %"
    assert figure(-0.5, "usd", 2) == "−$0.50"


def test_what_is_no_number_is_said_in_words() -> None:
    assert figure(None, "score") == "–"
    assert figure(math.nan, "score") == "no number"
    assert figure(math.inf, "ms") == "unbounded"


def test_a_difference_shows_its_sign_and_zero_has_none() -> None:
    assert signed(0.0131, "score") == "+0.013"
    assert signed(-0.0131, "score") == "−0.013"
    assert signed(-0.0001, "score") == "0.000"
    assert signed(-12.0, "ms") == "−12 ms"


def test_a_value_beside_its_bar_keeps_the_digits_that_tell_them_apart() -> None:
    assert digits_for("score", [0.79996], 0.8) == 5
    assert figure(0.79996, "score", digits_for("score", [0.79996], 0.8)) == "0.79996"
    assert digits_for("score", [0.7], 0.8) == 3
    assert digits_for("ratio", [1.09996], 1.1) == 3


def test_a_value_on_its_bar_needs_no_further_digits() -> None:
    assert digits_for("score", [0.8, None, math.inf], 0.8) == 3


def test_a_share_is_never_rounded_up_to_all_nor_down_to_nothing() -> None:
    assert percentage(1.0) == "100 %"
    assert percentage(0.9999) == "> 99.9 %"
    assert percentage(0.0001) == "< 0.1 %"
    assert percentage(0.0) == "0 %"
    assert percentage(0.9967) == "99.7 %"


def test_time_reads_as_people_say_it() -> None:
    assert [duration(value) for value in (0.0421, 42.04, 99, 7500)] == [
        "42 ms",
        "42.0 s",
        "1 min 39 s",
        "2 h 05 min",
    ]
    assert instant("2026-11-21T07:03:52+01:00") == "2026-11-21 06:03:52 UTC"
    assert instant("yesterday") == "yesterday"
    assert instant(None) == "–"
