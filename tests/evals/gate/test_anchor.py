"""The anchor: what every candidate is held against besides, so that many small declines don't add up to a large one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from support.results import policy_of, results_of

from evals.checks.check import Check
from evals.config.yaml_lines import dump_yaml
from evals.errors import ConfigurationError
from evals.gate.anchor import Anchor, anchor_checks
from evals.gate.examiner import Evidence
from evals.gate.judge import judge, take_look
from evals.gate.looks import LookHistory
from evals.gate.policy import GatePolicy, load_policy
from evals.records import CheckResult, Verdict

N = 2000
DROP = Check(metric="exact_match", kind="max_drop", threshold=0.05, field="checks[0].max_drop")


KEPT = {"grader_versions": {"exact_match": "1", "preferred": "1"}}


def anchored(*checks: Check, model: str = "first", candidates: int = 20, **more: Any) -> GatePolicy:
    anchor = Anchor(model=model, candidates=candidates)
    further = anchor_checks(checks, anchor, confidence=0.95)
    return policy_of(*checks, *further, **more)


def passes(rate: float, size: int = N, *, first: int = 0) -> np.ndarray:
    """Right answers to a share of the cases; the same cases are hard for every model, `first` of them aside."""
    return (np.arange(size) >= round(size * (1 - rate)) + first).astype(float)


def judged(
    policy: GatePolicy,
    candidate: np.ndarray,
    baseline: np.ndarray,
    kept: np.ndarray,
    *,
    comparable: np.ndarray | None = None,
) -> Verdict:
    return judge(policy, evidence(candidate, baseline, kept, comparable=comparable))


def evidence(
    candidate: np.ndarray,
    baseline: np.ndarray,
    kept: np.ndarray,
    *,
    comparable: np.ndarray | None = None,
    planned: np.ndarray | None = None,
) -> Evidence:
    return Evidence(
        candidate={"triage": results_of({"exact_match": candidate}, planned=planned)},
        baseline={"triage": results_of({"exact_match": baseline}, model="live-1", planned=planned)},
        anchor={
            "triage": results_of({"exact_match": kept}, model="old-1", planned=comparable),
        },
    )


def of_anchor(verdict: Verdict) -> CheckResult:
    (found,) = (check for check in verdict.checks if check.against == "anchor")
    return found


def test_a_candidate_a_little_worse_than_the_live_model_that_lost_much_already_does_not_pass() -> (
    None
):
    found = judged(anchored(DROP), passes(0.86), passes(0.88), passes(0.95))
    assert [check.outcome for check in found.checks] == ["PASS", "FAIL"]
    assert found.outcome == "FAIL"
    assert "exact_match max_drop 0.05 against the anchor" in found.reasons[0]


def test_a_candidate_as_good_as_both_passes_at_the_anchors_finer_level() -> None:
    found = judged(anchored(DROP), passes(0.9), passes(0.9), passes(0.9))
    assert found.outcome == "PASS"
    assert of_anchor(found).confidence == pytest.approx(1 - 0.05 / 20)
    assert of_anchor(found).against_model == "old-1"
    assert of_anchor(found).lower < found.checks[0].lower


def test_cases_that_changed_since_are_left_out() -> None:
    same = np.arange(N) % 2 == 0
    found = of_anchor(
        judged(anchored(DROP), passes(0.9), passes(0.9), passes(0.9), comparable=same)
    )
    assert (found.outcome, found.n) == ("PASS", N // 2)


def test_too_few_cases_that_did_not_change_are_undecided_and_say_how_to_go_on() -> None:
    same = np.arange(N) < 60
    found = judged(anchored(DROP), passes(0.9), passes(0.9), passes(0.9), comparable=same)
    assert (found.checks[0].outcome, of_anchor(found).outcome) == ("PASS", "INCONCLUSIVE")
    assert found.outcome == "INCONCLUSIVE"
    reason = found.reasons[0]
    assert "only 60 cases are the same as when old-1 answered them" in reason
    assert "name another one by anchor.model" in reason


def test_an_anchor_whose_answers_are_gone_is_undecided_and_never_a_pass() -> None:
    ours = {"triage": results_of({"exact_match": passes(0.9)})}
    theirs = {"triage": results_of({"exact_match": passes(0.9)}, model="live-1")}
    for problem in ("generation 3 was never live", ""):
        found = judge(
            anchored(DROP), Evidence(candidate=ours, baseline=theirs, anchor_problem=problem)
        )
        assert found.outcome == "INCONCLUSIVE"
        assert (problem or "its answers were not kept") in found.reasons[0]


def test_a_first_release_has_no_anchor_yet() -> None:
    level = Check(metric="exact_match", kind="at_least", threshold=0.5, field="checks[1].at_least")
    ours = {"triage": results_of({"exact_match": passes(0.9)})}
    found = judge(anchored(DROP, level), Evidence(candidate=ours, baseline=None))
    assert found.outcome == "PASS"
    assert not of_anchor(found).decides


def test_unscored_kept_answers_are_never_a_pass() -> None:
    kept = passes(0.9)
    kept[: N // 4] = np.nan
    assert judged(anchored(DROP), passes(0.9), passes(0.9), kept).outcome != "PASS"


def test_a_metric_that_compares_two_answers_of_one_run_is_not_held_against_kept_ones() -> None:
    prefers = msgspec.structs.replace(DROP, metric="preferred", field="checks[1].max_drop")
    columns = {"exact_match": passes(0.9), "preferred": passes(0.9)}
    found = judge(
        anchored(DROP, prefers),
        Evidence(
            candidate={"triage": results_of(columns)},
            baseline={"triage": results_of(columns, model="live-1")},
            anchor={"triage": results_of({"exact_match": passes(0.9)}, model="old-1", **KEPT)},
        ),
    )
    assert [check.decides for check in found.checks] == [True, True, True, False]
    assert "compares two answers of one run" in found.checks[3].reason


def test_an_anchor_without_a_suite_is_an_error() -> None:
    ours = {"triage": results_of({"exact_match": passes(0.9)})}
    theirs = {"triage": results_of({"exact_match": passes(0.9)}, model="live-1")}
    found = judge(anchored(DROP), Evidence(candidate=ours, baseline=theirs, anchor={}))
    assert found.outcome == "ERROR"


def test_latency_and_cost_are_shown_and_never_judged_against_kept_answers() -> None:
    cost = Check(metric="cost_usd_per_1k", kind="max_rise", threshold=0.1, percent=True, field="c")
    (found,) = anchor_checks([cost], Anchor(model="first"), confidence=0.95)
    assert found.mode == "shadow"


def test_a_gain_a_shadow_check_and_one_on_production_are_not_anchored() -> None:
    left_out = [
        msgspec.structs.replace(DROP, kind="min_gain"),
        msgspec.structs.replace(DROP, mode="shadow"),
        msgspec.structs.replace(DROP, measure_on="production"),
        msgspec.structs.replace(DROP, kind="at_least"),
    ]
    assert anchor_checks(left_out, Anchor(model="first"), confidence=0.95) == ()


def test_a_candidate_that_passed_early_is_asked_the_rest_since_it_may_be_an_anchor_one_day() -> (
    None
):
    asked = np.arange(N) < N // 2
    ours, theirs, kept = passes(1.0), passes(0.7), passes(0.7)
    found = take_look(
        anchored(DROP),
        evidence(ours, theirs, kept, planned=asked),
        LookHistory(look=5, rounds=10),
    )
    assert all(check.decided and check.result.outcome == "PASS" for check in found.checks)
    assert not found.stop
    assert [(need.role, need.suite, need.where) for need in found.needs] == [
        ("candidate", "triage", {})
    ]


def test_a_candidate_that_lost_is_asked_no_further() -> None:
    asked = np.arange(N) < N // 2
    hard = np.arange(N) % 10 < 5
    found = take_look(
        anchored(DROP),
        evidence(hard.astype(float), np.ones(N), np.ones(N), planned=asked),
        LookHistory(look=5, rounds=10),
    )
    assert found.stop


@pytest.fixture
def gate(tmp_path: Path) -> Callable[..., GatePolicy]:
    def write(anchor: Any) -> GatePolicy:
        path = tmp_path / "gate.yaml"
        check = {"metric": "exact_match", "at_least": 0.5, "max_drop": 0.05}
        content = {"version": 1, "name": "g", "first_release": "refuse", "checks": [check]}
        path.write_text(dump_yaml(content | {"anchor": anchor}), "utf-8")
        return load_policy(path)

    return write


def test_a_gate_file_names_its_anchor_and_the_margin(gate: Callable[..., GatePolicy]) -> None:
    found = gate({"model": "best", "margin": 0.08, "candidates": 10})
    assert [check.label for check in found.checks] == [
        "exact_match at_least 0.5",
        "exact_match max_drop 0.05",
        "exact_match max_drop 0.08 against the anchor",
    ]
    assert found.confidence_of(found.checks[2]) == pytest.approx(0.995)


def test_a_margin_may_be_given_by_metric(gate: Callable[..., GatePolicy]) -> None:
    found = gate({"model": 3, "margin": {"exact_match": "10%"}})
    assert (found.checks[2].threshold, found.checks[2].percent) == (0.1, True)
    assert found.anchor is not None and found.anchor.model == "3"


def test_a_margin_of_a_metric_that_no_check_compares_is_refused_with_the_nearest(
    gate: Callable[..., GatePolicy],
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        gate({"model": 99, "margin": {"exact_match": 0.1, "exact_mach": 0.1}})
    (problem,) = caught.value.problems
    assert (problem.field, problem.message, problem.fix) == (
        "anchor.margin.exact_mach",
        "no compared check has this metric",
        "did you mean 'exact_match'?",
    )
    assert problem.line is not None


@pytest.mark.parametrize(
    "wrong", [{}, {"model": "best", "candidates": 0}, {"model": "best", "x": 1}]
)
def test_a_wrong_anchor_is_refused_with_its_field(
    gate: Callable[..., GatePolicy], wrong: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="anchor"):
        gate(wrong)
