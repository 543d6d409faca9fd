"""The gate fails closed: one sentence for each way in which a gate elsewhere passes a model that it should not."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.results import policy_of, results_of

from evals.gate.examiner import Evidence
from evals.gate.judge import judge, worst
from evals.metrics.results import UNSCORED, LabelColumn

N = 400
DROP = {"metric": "exact_match", "kind": "max_drop", "threshold": 0.05}
LEVEL = {"metric": "exact_match", "kind": "at_least", "threshold": 0.8}


@pytest.fixture
def verdict() -> Any:
    """Judge columns by checks; the baseline is left out where it is None."""

    def run(ours: Any, theirs: Any, *checks: Any, options: Any = None, **more: Any) -> Any:
        candidate = ours if not isinstance(ours, dict) else results_of(ours)
        baseline = (
            theirs if not isinstance(theirs, dict) else results_of(theirs, model="baseline-1")
        )
        evidence = Evidence(
            candidate={candidate.suite: candidate},
            baseline=None if baseline is None else {baseline.suite: baseline},
            **more,
        )
        return judge(policy_of(*checks, **(options or {})), evidence)

    return run


def ones(size: int = N) -> np.ndarray:
    return np.ones(size)


def passes(rate: float, size: int = N) -> np.ndarray:
    return (np.arange(size) >= round(size * (1 - rate))).astype(float)


def labels(truth: Any, predicted: Any, names: tuple[str, ...] = ("a", "b", "c")) -> LabelColumn:
    shape = (len(truth), -1)
    return LabelColumn(
        labels=names,
        truth=np.asarray(truth, dtype=np.int64).reshape(shape),
        predicted=np.asarray(predicted, dtype=np.int64).reshape(shape),
    )


def test_equal_models_with_enough_cases_pass(verdict: Any) -> None:
    found = verdict({"exact_match": ones()}, {"exact_match": ones()}, DROP, LEVEL)
    assert (found.outcome, found.reasons) == ("PASS", ("all 2 deciding checks hold",))
    assert all(check.lower < check.estimate for check in found.checks)


def test_a_much_worse_candidate_fails_with_the_reason(verdict: Any) -> None:
    found = verdict({"exact_match": passes(0.7)}, {"exact_match": ones()}, DROP)
    assert found.outcome == "FAIL"
    assert "0.7 against 1, difference -0.3" in found.reasons[0]


def test_a_nan_is_an_unscored_case_and_never_a_pass(verdict: Any) -> None:
    ours = ones()
    ours[:8] = math.nan
    found = verdict({"exact_match": ours}, {"exact_match": ones()}, DROP, LEVEL)
    assert found.outcome == "INCONCLUSIVE"
    assert "only 98.00% of the cases asked of the candidate were scored" in found.reasons[0]


def test_an_infinite_score_is_never_a_pass(verdict: Any) -> None:
    ours = ones()
    ours[:8] = math.inf
    assert verdict({"exact_match": ours}, {"exact_match": ones()}, DROP).outcome == "INCONCLUSIVE"


def test_a_score_outside_its_range_is_an_error_and_no_traceback(verdict: Any) -> None:
    ours = ones()
    ours[3] = 7.0
    found = verdict({"exact_match": ours}, {"exact_match": ones()}, LEVEL, DROP)
    assert found.outcome == "ERROR"
    assert "outside [0" in found.reasons[0]


def test_a_metric_that_nothing_measured_is_an_error(verdict: Any) -> None:
    check = {**LEVEL, "metric": "exact_macth"}
    found = verdict({"exact_match": ones()}, None, LEVEL, check)
    assert (found.outcome, found.reasons) == (
        "ERROR",
        ("exact_macth at_least 0.8: no suite measured 'exact_macth'",),
    )


def test_a_built_in_metric_without_its_column_is_an_error(verdict: Any) -> None:
    check = {"metric": "latency_p95_ms", "kind": "at_most", "threshold": 1000.0}
    assert verdict({"exact_match": ones()}, None, check).outcome == "ERROR"


def test_an_empty_suite_is_an_error(verdict: Any) -> None:
    found = verdict(results_of({"exact_match": []}), None, LEVEL)
    assert found.outcome == "ERROR"
    assert found.reasons[0].startswith("nothing was measured")


def test_no_suite_at_all_is_an_error() -> None:
    found = judge(policy_of(LEVEL), Evidence(candidate={}, baseline=None))
    assert (found.outcome, found.candidate_model) == ("ERROR", "")


def test_a_policy_without_a_deciding_check_is_an_error(verdict: Any) -> None:
    shadow = {**LEVEL, "mode": "shadow"}
    found = verdict({"exact_match": ones()}, {"exact_match": ones()}, shadow)
    assert found.outcome == "ERROR"
    assert "nothing was checked" in found.reasons[0]


def test_a_policy_without_checks_is_an_error(verdict: Any) -> None:
    assert verdict({"exact_match": ones()}, None).outcome == "ERROR"


def test_a_slice_that_matches_no_case_is_an_error(verdict: Any) -> None:
    ours = results_of({"exact_match": ones()}, tags={"plan": ["free"] * N})
    found = verdict(ours, None, {**LEVEL, "where": {"plan": "enterprise"}})
    assert (found.outcome, found.reasons[0].rpartition(": ")[2]) == (
        "ERROR",
        "the slice matches no case",
    )


def test_a_tag_that_no_case_has_is_an_error(verdict: Any) -> None:
    for check in ({**LEVEL, "where": {"plan": "x"}}, {**LEVEL, "each": "plan"}):
        assert verdict({"exact_match": ones()}, None, check).outcome == "ERROR"


def test_a_relative_check_alone_never_passes_without_a_baseline(verdict: Any) -> None:
    for rule in ("absolute_checks", "needs_approval", "refuse"):
        found = verdict({"exact_match": ones()}, None, DROP, options={"first_release": rule})
        assert found.outcome == ("INCONCLUSIVE" if rule == "needs_approval" else "ERROR")


def test_a_first_release_passes_only_where_the_policy_lets_absolute_checks_decide(
    verdict: Any,
) -> None:
    outcomes = [
        verdict({"exact_match": ones()}, None, DROP, LEVEL, options={"first_release": rule}).outcome
        for rule in ("absolute_checks", "needs_approval", "refuse")
    ]
    assert outcomes == ["PASS", "INCONCLUSIVE", "FAIL"]


def test_a_baseline_that_has_no_results_is_an_error() -> None:
    evidence = Evidence(candidate={"triage": results_of({"exact_match": ones()})}, baseline={})
    assert judge(policy_of(DROP), evidence).outcome == "ERROR"


def test_a_baseline_with_other_suites_is_an_error() -> None:
    ours = {name: results_of({"exact_match": ones()}, suite=name) for name in ("one", "two")}
    theirs = {"one": results_of({"exact_match": ones()}, suite="one", model="baseline-1")}
    assert judge(policy_of(DROP), Evidence(candidate=ours, baseline=theirs)).outcome == "ERROR"


def test_nothing_but_errors_is_never_a_pass(verdict: Any) -> None:
    ours = np.full(N, math.nan)
    found = verdict({"exact_match": ours}, {"exact_match": ones()}, DROP, LEVEL)
    assert found.outcome == "INCONCLUSIVE"
    assert "only 0.00%" in found.reasons[0]


def test_an_unanswered_baseline_is_never_a_pass(verdict: Any) -> None:
    found = verdict({"exact_match": ones()}, {"exact_match": np.full(N, math.nan)}, DROP)
    assert found.outcome == "INCONCLUSIVE"
    assert "asked of the baseline" in found.reasons[0]


def test_nothing_is_rounded_at_the_bar(verdict: Any) -> None:
    found = verdict({"exact_match": passes(0.95)}, None, LEVEL)
    bound = found.checks[0].lower
    for bar, outcome in ((bound, "INCONCLUSIVE"), (math.nextafter(bound, 0), "PASS")):
        check = {**LEVEL, "threshold": bar}
        assert verdict({"exact_match": passes(0.95)}, None, check).outcome == outcome


def test_a_rate_of_0_7996_does_not_reach_a_bar_of_0_80(verdict: Any) -> None:
    ours = passes(0.7996, 2500)
    found = verdict({"exact_match": ours}, None, {**LEVEL, "decide_on": "point"})
    assert (found.outcome, ours.mean()) == ("FAIL", 0.7996)


def test_a_judge_that_could_not_be_read_is_no_score(verdict: Any) -> None:
    judged = np.where(np.arange(N) % 3 == 0, math.nan, 1.0)
    check = {"metric": "judge", "kind": "at_least", "threshold": 0.5}
    assert verdict({"judge": judged}, None, check).outcome == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"fingerprint": "another"}, "fingerprint differs"),
        ({"grader_versions": {"exact_match": "2"}}, "grader versions differ"),
        ({"case_ids": tuple(f"d{number}" for number in range(N))}, "not asked the same cases"),
    ],
)
def test_what_is_not_comparable_is_refused(verdict: Any, change: Any, why: str) -> None:
    theirs = replace(results_of({"exact_match": ones()}, model="baseline-1"), **change)
    found = verdict({"exact_match": ones()}, theirs, DROP)
    assert found.outcome == "ERROR"
    assert why in found.reasons[0]


def test_an_unmatched_pair_is_refused(verdict: Any) -> None:
    ids = tuple(f"c{number:06}" for number in range(N))
    theirs = replace(
        results_of({"exact_match": ones()}, model="baseline-1"), case_ids=(*ids[:-1], "other")
    )
    assert verdict({"exact_match": ones()}, theirs, DROP).outcome == "ERROR"


@pytest.mark.parametrize("alone", [True, False])
def test_a_case_id_that_occurs_twice_is_an_error(verdict: Any, alone: bool) -> None:
    twice = ("c0", *(f"c{number}" for number in range(N - 1)))
    ours = replace(results_of({"exact_match": ones()}), case_ids=twice)
    theirs = replace(results_of({"exact_match": ones()}, model="baseline-1"), case_ids=twice)
    found = verdict(ours, None if alone else theirs, LEVEL)
    assert (found.outcome, "occurs twice" in found.reasons[0]) == ("ERROR", True)


def test_answers_of_two_models_on_one_side_are_an_error() -> None:
    side = {
        "one": results_of({"exact_match": ones()}, suite="one"),
        "two": results_of({"other": ones()}, suite="two", model="someone-else"),
    }
    found = judge(policy_of(LEVEL), Evidence(candidate=side, baseline=None))
    assert found.outcome == "ERROR"
    assert "several models" in found.reasons[0]


def test_one_true_class_leaves_mcc_undefined_and_undecided(verdict: Any) -> None:
    truth = np.zeros(N)
    ours = results_of({}, labels={"intent": labels(truth, truth)})
    check = {"metric": "intent.mcc", "kind": "at_least", "threshold": 0.1}
    found = verdict(ours, None, check)
    assert found.outcome == "INCONCLUSIVE"
    assert "only one true label occurs" in found.reasons[0]


def test_macro_f1_counts_the_labels_that_never_occur(verdict: Any) -> None:
    truth = np.zeros(N)
    ours = results_of({}, labels={"intent": labels(truth, truth)})
    check = {"metric": "intent.macro_f1", "kind": "at_least", "threshold": 0.5}
    found = verdict(ours, None, check)
    assert (found.outcome, round(found.checks[0].estimate, 3)) == ("FAIL", 0.333)


def test_all_right_on_a_few_cases_proves_nothing(verdict: Any) -> None:
    few = ones(20)
    found = verdict({"exact_match": few}, {"exact_match": few}, DROP, {**LEVEL, "threshold": 0.9})
    assert [check.outcome for check in found.checks] == ["INCONCLUSIVE", "INCONCLUSIVE"]
    assert all(check.upper > check.lower for check in found.checks)


def test_all_wrong_fails_and_keeps_a_width(verdict: Any) -> None:
    wrong = np.zeros(N)
    found = verdict({"exact_match": wrong}, {"exact_match": wrong}, LEVEL, DROP)
    assert found.checks[0].outcome == "FAIL"
    assert found.checks[1].upper > found.checks[1].lower


def test_a_metric_at_its_worst_for_both_models_is_never_a_pass(verdict: Any) -> None:
    wrong, refused = np.zeros(N), np.ones(N)
    found = verdict({"exact_match": wrong}, {"exact_match": wrong}, DROP)
    assert (found.outcome, found.takes) == ("INCONCLUSIVE", "override")
    assert "as if the grader were broken" in found.reasons[0]
    rise = {"metric": "refusal_rate", "kind": "max_rise", "threshold": 0.05}
    assert verdict({"refused": refused}, {"refused": refused}, rise).outcome == "INCONCLUSIVE"
    assert verdict({"refused": wrong}, {"refused": wrong}, rise).outcome == "PASS"


def test_labels_of_which_none_is_right_are_never_a_pass(verdict: Any) -> None:
    truth = np.arange(N) % 3
    ours, theirs = (
        results_of({}, labels={"intent": labels(truth, (truth + 1) % 3)}, model=model)
        for model in ("candidate-1", "baseline-1")
    )
    check = {"metric": "intent.macro_f1", "kind": "max_drop", "threshold": 0.05}
    assert verdict(ours, theirs, check).outcome == "INCONCLUSIVE"


def test_a_bar_at_the_very_worst_is_passed_by_nothing(verdict: Any) -> None:
    lax = {**LEVEL, "threshold": 0.0, "decide_on": "point"}
    assert verdict({"exact_match": np.zeros(N)}, None, lax).outcome == "INCONCLUSIVE"
    assert verdict({"exact_match": passes(0.5)}, None, lax).outcome == "PASS"


def test_an_unknown_cost_is_never_a_pass(verdict: Any) -> None:
    unknown, known = np.full(N, math.nan), np.full(N, 0.01)
    check = {"metric": "cost_usd_per_1k", "kind": "max_rise", "threshold": 0.1, "percent": True}
    for ours, theirs, whose in ((unknown, known, "candidate"), (known, unknown, "baseline")):
        found = verdict({"cost_usd": ours}, {"cost_usd": theirs}, check)
        assert found.outcome == "INCONCLUSIVE"
        assert f"the cost of the {whose} is not known" in found.reasons[0]


def test_a_free_baseline_makes_no_ratio(verdict: Any) -> None:
    check = {"metric": "cost_usd_per_1k", "kind": "max_rise", "threshold": 0.1, "percent": True}
    found = verdict({"cost_usd": ones()}, {"cost_usd": np.zeros(N)}, check)
    assert found.outcome == "ERROR"


def test_costs_that_never_vary_pass_only_on_enough_cases(verdict: Any) -> None:
    check = {"metric": "cost_usd_per_1k", "kind": "max_rise", "threshold": 0.1, "percent": True}
    few = verdict({"cost_usd": ones(30)}, {"cost_usd": ones(30)}, check)
    many = verdict({"cost_usd": ones(60)}, {"cost_usd": ones(60)}, check)
    assert (few.outcome, many.outcome) == ("INCONCLUSIVE", "PASS")
    assert "all cases are the same" in many.checks[0].warnings[0]


def test_a_slice_whose_answers_were_lost_is_undecided_however_large_the_suite(verdict: Any) -> None:
    plan = ["enterprise"] * 80 + ["free"] * 9920
    ours = ones(10_000)
    ours[:60] = math.nan  # 99.4 % of the suite, a quarter of the slice
    side = results_of({"exact_match": ours}, tags={"plan": plan})
    check = {**LEVEL, "threshold": 0.5, "where": {"plan": "enterprise"}}
    assert verdict(side, None, check).outcome == "INCONCLUSIVE"
    assert verdict(side, None, LEVEL).outcome == "PASS"


def test_lost_answers_do_not_turn_a_deciding_slice_into_a_reported_one(verdict: Any) -> None:
    ours = ones(70)
    ours[:12] = math.nan
    side = results_of({"exact_match": ours}, tags={"plan": ["enterprise"] * 70})
    check = {
        **LEVEL,
        "where": {"plan": "enterprise"},
        "min_cases": 60,
        "if_too_few": "report",
    }
    found = verdict(side, None, LEVEL, check, options={"min_scored": 0.5})
    assert found.checks[1].decides
    assert found.outcome == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("rule", "decides", "outcome"),
    [("report", False, "PASS"), ("inconclusive", True, "INCONCLUSIVE"), ("fail", True, "FAIL")],
)
def test_a_slice_with_too_few_cases_does_what_the_policy_says(
    verdict: Any, rule: str, decides: bool, outcome: str
) -> None:
    side = results_of({"exact_match": ones()}, tags={"plan": ["enterprise"] * 30 + ["free"] * 370})
    check = {**LEVEL, "where": {"plan": "enterprise"}, "min_cases": 60, "if_too_few": rule}
    found = verdict(side, None, LEVEL, check)
    assert (found.checks[1].decides, found.outcome) == (decides, outcome)


def test_each_value_of_a_tag_is_a_check_of_its_own(verdict: Any) -> None:
    language = ["de", "en", "", "fr"] * 100
    ours = np.where(np.arange(N) % 4 == 3, 0.0, 1.0)
    found = verdict(
        results_of({"exact_match": ours}, tags={"language": language}),
        None,
        {**LEVEL, "each": "language"},
    )
    outcomes = {check.slice["language"]: check.outcome for check in found.checks}
    assert outcomes == {"de": "PASS", "en": "PASS", "fr": "FAIL"}


def test_a_shadow_check_is_shown_and_never_decides(verdict: Any) -> None:
    shadow = {**LEVEL, "threshold": 0.99, "mode": "shadow"}
    found = verdict({"exact_match": passes(0.9)}, None, LEVEL, shadow)
    assert (found.outcome, found.checks[1].outcome, found.checks[1].decides) == (
        "PASS",
        "FAIL",
        False,
    )


def test_a_point_decision_is_marked_as_one(verdict: Any) -> None:
    point = {**LEVEL, "threshold": 0.95, "decide_on": "point"}
    found = verdict({"exact_match": passes(0.95)}, None, point)
    assert (found.outcome, found.checks[0].decide_on) == ("PASS", "point")
    assert "on the point estimate alone" in found.checks[0].reason


def test_a_check_measured_on_production_does_not_decide_elsewhere(verdict: Any) -> None:
    later = {
        "metric": "latency_p95_ms",
        "kind": "at_most",
        "threshold": 1000.0,
        "measure_on": "production",
    }
    columns = {"exact_match": ones(), "latency_ms": np.full(N, 5000.0)}
    assert verdict(columns, None, LEVEL, later).outcome == "PASS"
    found = verdict(columns, None, LEVEL, later, slot="production")
    assert found.outcome == "FAIL"
    assert not found.checks[0].decides


def test_a_gain_must_be_proven_not_only_seen(verdict: Any) -> None:
    check = {"metric": "exact_match", "kind": "min_gain", "threshold": 0.02}
    for rate, outcome in ((0.52, "INCONCLUSIVE"), (0.7, "PASS"), (0.4, "FAIL")):
        found = verdict({"exact_match": passes(rate)}, {"exact_match": passes(0.5)}, check)
        assert found.outcome == outcome


def test_a_gain_in_a_metric_where_lower_is_better_is_a_fall(verdict: Any) -> None:
    check = {"metric": "latency_mean_ms", "kind": "min_gain", "threshold": 50.0}
    rng = np.random.default_rng(0)
    slow, fast = rng.normal(900, 30, N), rng.normal(800, 30, N)
    assert verdict({"latency_ms": fast}, {"latency_ms": slow}, check).outcome == "PASS"
    assert verdict({"latency_ms": slow}, {"latency_ms": fast}, check).outcome == "FAIL"


def test_a_drop_in_percent_is_judged_on_the_ratio_with_a_width(verdict: Any) -> None:
    check = {"metric": "exact_match", "kind": "max_drop", "threshold": 0.1, "percent": True}
    found = verdict({"exact_match": ones()}, {"exact_match": ones()}, check)
    assert found.outcome == "PASS"
    assert found.checks[0].lower < 1 < found.checks[0].upper
    few = verdict({"exact_match": ones(20)}, {"exact_match": ones(20)}, check)
    assert few.outcome == "INCONCLUSIVE"


def test_repeats_of_a_label_are_no_further_cases(verdict: Any) -> None:
    truth = np.tile(np.arange(40)[:, None] % 3, (1, 5))
    column = labels(truth, truth)
    check = {"metric": "intent.macro_f1", "kind": "at_least", "threshold": 0.5}
    found = verdict(results_of({}, labels={"intent": column}), None, check)
    assert (found.outcome, found.checks[0].n) == ("INCONCLUSIVE", 40)
    assert "only 40 cases" in found.reasons[0]


def test_a_case_of_which_one_repeat_is_missing_is_unscored_for_label_metrics(verdict: Any) -> None:
    truth = np.tile(np.arange(N)[:, None] % 3, (1, 2))
    predicted = truth.copy()
    predicted[:10, 1] = UNSCORED
    check = {"metric": "intent.macro_f1", "kind": "at_least", "threshold": 0.5}
    found = verdict(results_of({}, labels={"intent": labels(truth, predicted)}), None, check)
    assert found.outcome == "INCONCLUSIVE"


def test_models_graded_by_other_truths_are_refused(verdict: Any) -> None:
    truth = np.arange(N) % 3
    ours = results_of({}, labels={"intent": labels(truth, truth)})
    theirs = results_of({}, labels={"intent": labels(truth[::-1], truth)}, model="baseline-1")
    check = {"metric": "intent.macro_f1", "kind": "max_drop", "threshold": 0.05}
    assert verdict(ours, theirs, check).outcome == "ERROR"


def test_cases_a_metric_is_not_about_lower_no_coverage(verdict: Any) -> None:
    about = np.arange(N) % 2 == 0
    ours = np.where(about, 1.0, math.nan)
    side = results_of({"cites": ours}, applicable={"cites": about})
    check = {"metric": "cites", "kind": "at_least", "threshold": 0.9}
    found = verdict(side, None, check)
    assert (found.outcome, found.checks[0].n) == ("PASS", N // 2)


def test_the_samplers_metrics_are_pooled_over_suites() -> None:
    side = {
        name: results_of({"latency_ms": np.full(size, 100.0 + size)}, suite=name)
        for name, size in (("one", 100), ("two", 300))
    }
    check = {"metric": "latency_p95_ms", "kind": "at_most", "threshold": 500.0}
    found = judge(policy_of(check), Evidence(candidate=side, baseline=None))
    assert (found.outcome, found.checks[0].n) == ("PASS", 400)


def test_the_worst_outcome_wins(verdict: Any) -> None:
    assert worst([]) == "ERROR"
    assert worst(["PASS", "INCONCLUSIVE", "FAIL"]) == "FAIL"
    broken = {**LEVEL, "metric": "none"}
    failing = {**LEVEL, "threshold": 0.99}
    found = verdict({"exact_match": passes(0.9)}, None, LEVEL, failing, broken)
    assert found.outcome == "ERROR"


def test_every_check_has_a_reason_with_its_numbers(verdict: Any) -> None:
    found = verdict({"exact_match": passes(0.9)}, {"exact_match": passes(0.9)}, LEVEL, DROP)
    assert all(check.reason.startswith(check.check) for check in found.checks)
    assert "over 400 cases" in found.checks[0].reason
    assert "over 400 pairs" in found.checks[1].reason


def test_judging_is_pure(verdict: Any) -> None:
    ours, theirs = {"exact_match": passes(0.9)}, {"exact_match": passes(0.93)}
    assert verdict(ours, theirs, LEVEL, DROP) == verdict(ours, theirs, LEVEL, DROP)
