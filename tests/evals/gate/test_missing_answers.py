"""What is missing is not assumed to be like the rest: it counts at its worst for a PASS, at its best for a FAIL."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.results import policy_of, results_of

from evals.checks.check import Check
from evals.checks.comparison import compare, measure
from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.gate.replay import replay
from evals.metrics.results import UNSCORED, LabelColumn, pooled

N = 600
DROP = {"metric": "exact", "kind": "max_drop", "threshold": 0.05}
LEVEL = {"metric": "exact", "kind": "at_least", "threshold": 0.9}


def judged(ours: Any, theirs: Any, *checks: Any, **options: Any) -> Any:
    baseline = None if theirs is None else {theirs.suite: theirs}
    evidence = Evidence(candidate={ours.suite: ours}, baseline=baseline)
    return judge(policy_of(*checks, **options), evidence)


def one(column: Any, name: str = "exact", model: str = "candidate-1", **more: Any) -> Any:
    return results_of({name: column}, model=model, **more)


def scores(rate: float, size: int = N) -> np.ndarray:
    return (np.arange(size) >= round(size * (1 - rate))).astype(float)


def losing(share: float) -> tuple[Any, Any]:
    """A candidate whose losing answers are lost, and an unbeaten baseline."""
    ours = scores(1 - share)
    return one(np.where(ours == 0.0, math.nan, 1.0)), one(np.ones(N), model="b")


def test_a_candidate_whose_losing_answers_are_lost_does_not_pass() -> None:
    ours, theirs = losing(0.05)
    lenient = {"min_scored": 0.9}
    assert judged(ours, theirs, DROP, missing="at_random", **lenient).outcome == "PASS"
    found = judged(ours, theirs, DROP, **lenient)
    assert found.outcome == "INCONCLUSIVE"
    assert (found.checks[0].n, found.checks[0].missing_candidate) == (N, 30)
    assert "30 of 600 scores of the candidate are missing" in found.checks[0].reason


def test_lost_answers_alone_never_fail_a_candidate() -> None:
    found = judged(*losing(0.3), DROP, LEVEL, min_scored=0.5)
    assert [check.outcome for check in found.checks] == ["INCONCLUSIVE", "INCONCLUSIVE"]


def test_bounds_are_those_of_the_worst_and_of_the_best() -> None:
    lost = np.ones(N)
    lost[:6] = math.nan
    wrong = np.nan_to_num(lost)
    check = Check(**LEVEL)
    found = measure(check, one(lost), None, 0.95)
    worst, best = (measure(check, one(column), None, 0.95) for column in (wrong, np.ones(N)))
    assert (found.lower, found.upper) == (worst.lower, best.upper)
    assert (found.estimate, found.n) == (1.0, N)


def test_a_lost_answer_of_the_baseline_counts_as_right() -> None:
    lost = np.ones(N)
    lost[:20] = math.nan
    found = compare(Check(**DROP), one(np.zeros(N)), one(lost, model="b"), 0.95)
    whole = compare(Check(**DROP), one(np.zeros(N)), one(np.ones(N), model="b"), 0.95)
    assert (found.lower, found.missing) == (whole.lower, (0, 20))


def test_a_rising_metric_is_worst_when_it_is_high() -> None:
    lost = np.zeros(N)
    lost[:30] = math.nan
    check = {"metric": "refusal_rate", "kind": "at_most", "threshold": 0.05}
    refusals = one(lost, "refused")
    assert judged(refusals, None, check, min_scored=0.9).outcome == "INCONCLUSIVE"
    assert judged(refusals, None, check, min_scored=0.9, missing="at_random").outcome == "PASS"


def test_a_case_is_filled_repeat_by_repeat() -> None:
    column = np.ones(N)
    shares = np.ones(N)
    shares[:60] = 2 / 3
    found = measure(Check(**LEVEL), one(column, shares={"exact": shares}), None, 0.95)
    means = np.where(np.arange(N) < 60, 2 / 3, 1.0)
    assert found.missing == (60, 0)
    assert found.lower == measure(Check(**LEVEL), one(means), None, 0.95).lower


def test_what_is_missing_in_one_of_several_suites_is_missing_in_the_pool() -> None:
    parts = [
        replace(one(np.ones(50), "latency_ms", suite="a"), shares={"latency_ms": np.full(50, 0.5)}),
        one(np.ones(70), "latency_ms", suite="b"),
    ]
    assert pooled(parts).share_of("latency_ms").tolist() == [0.5] * 50 + [1.0] * 70


def test_a_latency_that_never_came_is_longer_than_all_others() -> None:
    latency = np.linspace(100.0, 400.0, N)
    lost = latency.copy()
    lost[::20] = math.nan  # 5 %: the p95 itself may be among them
    check = {"metric": "latency_p95_ms", "kind": "at_most", "threshold": 500.0}
    assert judged(one(latency, "latency_ms"), None, check).outcome == "PASS"
    found = judged(one(lost, "latency_ms"), None, check, min_scored=0.9)
    assert (found.outcome, found.checks[0].upper) == ("INCONCLUSIVE", None)
    ratio = {"metric": "latency_p95_ms", "kind": "max_rise", "threshold": 0.2, "percent": True}
    theirs = one(latency, "latency_ms", "b")
    assert judged(one(latency, "latency_ms"), theirs, ratio).outcome == "PASS"
    assert judged(one(lost, "latency_ms"), theirs, ratio, min_scored=0.9).outcome != "PASS"


def test_a_few_lost_latencies_leave_a_p95_that_can_pass_and_a_mean_that_can_not() -> None:
    latency = np.linspace(100.0, 400.0, N)
    latency[:2] = math.nan
    p95 = {"metric": "latency_p95_ms", "kind": "at_most", "threshold": 500.0}
    mean = {"metric": "latency_mean_ms", "kind": "at_most", "threshold": 500.0}
    found = judged(one(latency, "latency_ms"), None, p95, mean)
    assert [check.outcome for check in found.checks] == ["PASS", "INCONCLUSIVE"]


def test_a_cost_that_has_a_limit_can_pass_with_an_answer_missing() -> None:
    cost = np.full(N, 0.01) + np.linspace(0, 0.001, N)
    cost[:2] = math.nan
    check = {"metric": "cost_usd_per_1k", "kind": "max_rise", "threshold": 0.3, "percent": True}
    theirs = one(np.linspace(0.01, 0.011, N), "cost_usd", "b")
    limited = one(cost, "cost_usd", most={"cost_usd": np.full(N, 0.05)})
    assert judged(limited, theirs, check).outcome == "PASS"
    assert judged(one(cost, "cost_usd"), theirs, check).outcome == "INCONCLUSIVE"


@pytest.mark.parametrize("statistic", ["macro_f1", "mcc", "kappa", "recall", "weighted_f1"])
def test_a_missing_label_is_wrong_for_a_pass_and_right_for_a_fail(statistic: str) -> None:
    truth = np.arange(N) % 3
    predicted = truth.copy()
    predicted[:30] = UNSCORED

    def side(said: np.ndarray) -> Any:
        column = LabelColumn(labels=("a", "b", "c"), truth=truth[:, None], predicted=said[:, None])
        return results_of({}, labels={"intent": column})

    check = {"metric": f"intent.{statistic}", "kind": "at_least", "threshold": 0.95}
    assert judged(side(truth), None, check).outcome == "PASS"
    found = judged(side(predicted), None, check, min_scored=0.9)
    assert found.outcome == "INCONCLUSIVE"
    assert found.checks[0].lower < 0.95 < found.checks[0].upper


def test_clusters_and_ratios_count_what_is_missing_too() -> None:
    codes = np.arange(N) % 60
    ours = scores(0.9)
    lost = np.where(ours == 0.0, math.nan, 1.0)
    for more, check in (
        ({"clusters": codes}, DROP),
        ({}, {**DROP, "percent": True}),
    ):
        theirs = one(np.ones(N), model="b", **more)
        options: dict[str, Any] = {"min_scored": 0.5}
        assert judged(one(lost, **more), theirs, check, **options).outcome != "PASS"
        assert (
            judged(one(lost, **more), theirs, check, **options, missing="at_random").outcome
            == "PASS"
        )


def test_a_point_estimate_passes_at_its_worst_and_fails_at_its_best() -> None:
    column = np.ones(N)
    column[:30] = math.nan
    for bar, outcome in ((0.94, "PASS"), (0.96, "INCONCLUSIVE")):
        check = {**LEVEL, "threshold": bar, "decide_on": "point"}
        assert judged(one(column), None, check, min_scored=0.9).outcome == outcome
    low = scores(0.5)
    low[:30] = math.nan
    check = {**LEVEL, "threshold": 0.56, "decide_on": "point"}
    assert judged(one(low), None, check, min_scored=0.9).outcome == "FAIL"


def test_a_model_that_hangs_fails_on_the_share_of_answers() -> None:
    answered = np.where(np.arange(N) % 3 == 0, 0.0, 1.0)
    ours = results_of({"exact": np.where(answered == 0.0, math.nan, 1.0), "answered": answered})
    theirs = results_of({"exact": np.ones(N), "answered": np.ones(N)}, model="b")
    check = {"metric": "answered", "kind": "max_drop", "threshold": 0.02}
    found = judged(ours, theirs, DROP, check)
    assert [one.outcome for one in found.checks] == ["INCONCLUSIVE", "FAIL"]
    assert found.outcome == "FAIL"


def test_nothing_is_given_up_that_the_missing_answers_could_save() -> None:
    rng = np.random.default_rng(4)
    theirs = (rng.random(N) < 0.9).astype(float)
    ours = np.where(rng.random(N) < 0.08, math.nan, theirs)

    def at(look: int) -> Evidence:
        asked = np.arange(N) < N * look // 10
        sides = (one(ours, planned=asked), one(theirs, model="b", planned=asked))
        return Evidence(candidate={"triage": sides[0]}, baseline={"triage": sides[1]})

    verdict, look = replay(policy_of(DROP, min_scored=0.5), at, 10)
    assert (verdict.outcome, look) == ("INCONCLUSIVE", 10)
    assert verdict.checks[0].state == "decided"


def test_the_reasons_begin_with_what_became_of_the_answers() -> None:
    lost = results_of(
        {"exact": np.full(240, math.nan)},
        outcomes={"server_error": 238, "timed_out": 2},
        counts={"planned": 240},
    )
    there = {"outcomes": {"answered": 240}, "counts": {"planned": 240}}
    found = judged(lost, one(np.ones(240), model="b", **there), DROP)
    cause = "The candidate answered 0 of 240 cases: 238 server errors, 2 timeouts"
    assert found.causes == (cause,)
    assert found.reasons[0] == cause
    assert (found.missing, found.takes) == ("worst_case", "override")


def test_nobody_can_approve_a_first_release_that_did_not_answer() -> None:
    gate = policy_of(DROP, first_release="needs_approval")
    for lost, outcome in ((240, "ERROR"), (12, "ERROR"), (0, "INCONCLUSIVE")):
        ours = one(
            np.ones(240),
            outcomes={"answered": 240 - lost, "server_error": lost},
            counts={"planned": 240},
        )
        found = judge(gate, Evidence(candidate={"triage": ours}, baseline=None))
        assert found.outcome == outcome
        if lost:
            assert found.takes is None
            assert found.reasons[0].startswith(f"The candidate answered {240 - lost} of 240")


def test_a_cause_that_hindered_nothing_is_noted_and_no_reason() -> None:
    scores_ = np.ones(N)
    scores_[0] = math.nan
    ours = one(scores_, outcomes={"answered": N - 1, "timed_out": 1}, counts={"planned": N})
    found = judged(ours, one(np.ones(N), model="b"), DROP)
    assert found.outcome == "PASS"
    assert found.causes == ("The candidate answered 599 of 600 cases: 1 timeout",)
    assert found.causes[0] not in found.reasons
