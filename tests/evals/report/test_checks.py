"""Every check says what was asked, what was found, how sure that is, on how many cases, and what follows."""

from __future__ import annotations

import math
from typing import Any

from evals.report.sections.check import check_view


def test_an_absolute_check_shows_all_its_numbers(check: Any) -> None:
    view = check_view(check())
    assert (view.bar, view.candidate, view.baseline) == ("at least 0.80", "0.870", "0.810")
    assert (view.interval, view.level, view.n) == ("0.845 to 0.892", "90 % interval", "600 cases")
    assert view.method == "Clopper-Pearson, exact"
    assert (
        view.reason
        == "With 95 % confidence the candidate's value is above 0.845; at least 0.80 is asked."
    )


def test_a_difference_that_was_not_tested_stands_in_brackets(check: Any) -> None:
    assert check_view(check()).difference == "(+0.060)"


def test_a_relative_check_is_about_pairs_and_the_difference(check: Any) -> None:
    view = check_view(
        check(
            kind="max_drop", threshold=0.02, estimate=0.06, lower=0.038, upper=0.081, method="tango"
        )
    )
    assert (view.bar, view.difference, view.n) == ("drop below 0.02", "+0.060", "600 pairs")
    assert view.interval == "+0.038 to +0.081"
    assert view.reason.endswith("is no worse than +0.038; it must stay above −0.020.")


def test_a_margin_in_per_cent_is_about_the_ratio(check: Any) -> None:
    view = check_view(
        check(
            "cost_usd_per_1k",
            "max_rise",
            0.1,
            percent=True,
            estimate=1.2,
            lower=1.15,
            upper=1.25,
            outcome="FAIL",
        )
    )
    assert (view.bar, view.difference) == ("rise below 10 %", "+20.0 %")
    assert view.reason.endswith("is at least +15.0 %; it must stay below +10.0 %.")


def test_a_bound_just_past_the_bar_is_never_shown_as_the_bar(check: Any) -> None:
    view = check_view(check(lower=0.79996, outcome="INCONCLUSIVE"))
    assert view.interval.startswith("0.79996 ")
    assert view.bar_mark == "0.80000"


def test_an_undecided_check_says_that_the_sample_cant_tell(check: Any) -> None:
    view = check_view(check(lower=0.78, estimate=0.81, outcome="INCONCLUSIVE"))
    assert view.reason == (
        "The estimate 0.810 is on the right side of the bar 0.800, but the interval contains the bar: "
        "600 cases can't tell."
    )


def test_when_more_than_the_interval_decided_the_gates_words_stand(check: Any) -> None:
    few = check(
        outcome="INCONCLUSIVE",
        reason="exact_match at_least 0.8: 41 scored cases, 60 are asked",
        rests_on="rule",
    )
    assert check_view(few).reason == "41 scored cases, 60 are asked"
    point = check(
        decide_on="point",
        reason="exact_match at_least 0.8: decided on the point estimate",
        rests_on="point",
    )
    assert check_view(point).reason == "decided on the point estimate"
    assert "decided on the point estimate" in check_view(point).marks


def test_shadow_checks_and_reported_slices_are_marked(check: Any) -> None:
    assert check_view(check(decides=False)).marks == ("shadow, does not decide",)
    sliced = check(decides=False, slice={"language": "es"})
    assert check_view(sliced).marks == ("reported only, does not decide",)
    assert check_view(check(overridable=False)).marks == ("can't be overridden",)


def test_a_check_that_waits_for_production_is_no_finding(check: Any) -> None:
    blank: dict[str, Any] = dict.fromkeys(("candidate", "baseline", "estimate", "lower", "upper"))
    view = check_view(
        check(
            "latency_p95_ms",
            "at_most",
            1800,
            decides=False,
            n=0,
            outcome="INCONCLUSIVE",
            measure_on="production",
            **blank,
        )
    )
    assert (view.outcome, view.tone, view.interval) == ("NOT JUDGED", "plain", "not measured")
    assert view.marks == ("judged on the production deployment",)
    assert view.chart is None


def test_a_first_release_says_why_a_relative_check_was_left_out(check: Any) -> None:
    blank: dict[str, Any] = dict.fromkeys(("baseline", "estimate", "lower", "upper"))
    view = check_view(
        check(kind="max_drop", threshold=0.02, decides=False, n=0, outcome="INCONCLUSIVE", **blank),
        first_release=True,
    )
    assert view.marks == ("no live baseline yet",)


def test_the_picture_puts_bar_and_interval_in_order_and_says_it_in_words(check: Any) -> None:
    chart = check_view(check()).chart
    assert chart is not None
    marks = [float(mark.rstrip("%")) for mark in (chart.bar, chart.low, chart.point, chart.high)]
    assert marks == sorted(marks)
    assert all(0 <= mark <= 100 for mark in marks)
    assert chart.alt == (
        "Candidate 0.870, interval 0.845 to 0.892, bar 0.800; the check fails on the left of the bar."
    )


def test_an_open_interval_runs_off_the_picture(check: Any) -> None:
    view = check_view(
        check("latency_p95_ms", "at_most", 1800, estimate=900.0, lower=700.0, upper=math.inf)
    )
    assert view.chart is not None
    assert view.chart.open_high
    assert view.interval == "700 ms to unbounded"


def test_a_number_that_is_none_gives_no_picture_and_no_crash(check: Any) -> None:
    view = check_view(check(estimate=math.nan, lower=math.nan, upper=math.nan, outcome="ERROR"))
    assert view.chart is None
    assert "no number" in view.interval
