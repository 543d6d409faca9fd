"""Evidence over regression runs: every check that shares the alarm rate counts, whatever became of it in a run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.results import policy_of, results_of

from evals.checks.check import Check
from evals.gate.examiner import Evidence
from evals.gate.regression_evidence import CheckEvidence, accumulate, e_values_of_run


def said(**log_e: float) -> tuple[CheckEvidence, ...]:
    return tuple(CheckEvidence(check=name, log_e=value, n=100) for name, value in log_e.items())


def test_each_further_check_takes_more_evidence_for_an_alarm() -> None:
    (alone,) = accumulate([said(a=3.2)], confidence=0.95)
    of_three = accumulate([said(a=3.2, b=0.0, c=0.0)], confidence=0.95)
    assert alone.alarm_at == pytest.approx(20)
    assert [one.alarm_at for one in of_three] == pytest.approx([60] * 3)


def test_a_check_that_left_the_gate_still_counts_among_those_that_may_raise_an_alarm() -> None:
    runs = [said(a=0.0, b=0.0, c=0.0), said(a=4.0)]
    (found,) = accumulate(runs, confidence=0.95)
    assert (found.runs, found.alarm_at) == (2, pytest.approx(60))
    assert found.log_e == pytest.approx(np.logaddexp(-math.log(2), 4.0 - math.log(6)))


def test_without_a_run_nothing_is_said() -> None:
    assert accumulate([], confidence=0.95) == ()


def evidence_against(policy: Any, results: Any, scores: Any, *checks: Check) -> Any:
    tags = {"plan": ["free"] * len(scores)}
    found = Evidence(
        candidate={"triage": results({"score": scores}, tags=tags)}, baseline=None, release=False
    )
    return e_values_of_run(policy(*checks), found, lambda _suite, _check: np.arange(len(scores)))


LEVEL = Check(metric="score", kind="at_least", threshold=0.8, field="checks[0].at_least")


def test_a_check_without_one_score_bets_nothing_and_is_still_counted() -> None:
    (found,) = evidence_against(policy_of, results_of, np.full(40, math.nan), LEVEL)
    assert (found.n, found.log_e) == (0, 0.0)


def test_bad_scores_speak_against_a_level_and_good_ones_for_it() -> None:
    most = Check(metric="score", kind="at_most", threshold=0.2, field="checks[1].at_most")
    bad, fine = evidence_against(policy_of, results_of, np.zeros(60), LEVEL, most)
    assert bad.log_e > math.log(20) > 0 > fine.log_e
    fine, bad = evidence_against(policy_of, results_of, np.ones(60), LEVEL, most)
    assert bad.log_e > math.log(20) > 0 > fine.log_e


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "max_drop", "threshold": 0.1},
        {"mode": "shadow"},
        {"decide_on": "point"},
        {"with_labels": True},
        {"measure_on": "production"},
        {"metric": "unknown"},
    ],
)
def test_what_is_not_followed_is_left_to_each_run(other: Any) -> None:
    check = Check(**({"metric": "score", "kind": "at_least", "threshold": 0.8} | other))
    assert evidence_against(policy_of, results_of, np.zeros(60), check) == ()


def test_an_answer_that_never_came_is_no_evidence_against_the_live_model() -> None:
    scores = np.where(np.arange(200) % 4 == 0, 0.0, 1.0)
    lost = scores.copy()
    lost[1:120:4] = math.nan
    (whole,) = evidence_against(policy_of, results_of, scores, LEVEL)
    (gaps,) = evidence_against(policy_of, results_of, lost, LEVEL)
    assert (gaps.n, gaps.log_e) == (200, pytest.approx(whole.log_e))
