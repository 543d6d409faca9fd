"""A live model whose deployment fell since its promotion: what passes against it passes against nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from support.results import policy_of, results_of

from evals.checks.check import Check
from evals.gate.examiner import Evidence
from evals.gate.judge import judge, take_look
from evals.gate.looks import LookHistory
from evals.records import Verdict

N = 1000
DROP = Check(metric="exact_match", kind="max_drop", threshold=0.05, field="checks[0].max_drop")


def passes(rate: float) -> np.ndarray:
    return (np.arange(N) >= round(N * (1 - rate))).astype(float)


def evidence(
    candidate: float, live: float, kept: float | None, metric: str = "exact_match", **more: Any
) -> Evidence:
    def results(rate: float, model: str) -> Any:
        return {"triage": results_of({metric: passes(rate)}, model=model)}

    return Evidence(
        candidate=results(candidate, "new-1"),
        baseline=results(live, "live-1"),
        kept_baseline=None if kept is None else results(kept, "live-1"),
        **more,
    )


def judged(*rates: Any, check: Check = DROP, **more: Any) -> Verdict:
    return judge(policy_of(check), evidence(*rates, **more))


def test_a_pass_against_a_live_model_that_fell_by_the_margin_is_undecided() -> None:
    found = judged(0.80, 0.71, 0.88)
    assert found.outcome == "INCONCLUSIVE"
    assert (
        "the live model's own deployment answers worse than when it was promoted"
        in (found.reasons[0])
    )
    assert "0.71 against 0.88" in found.reasons[0]
    assert "a comparison with it proves nothing" in found.reasons[0]


@pytest.mark.parametrize("kept", [None, 0.71, 0.73, 0.60])
def test_a_pass_stands_where_the_live_model_is_as_it_was_or_nothing_is_known(kept: Any) -> None:
    assert judged(0.80, 0.71, kept).outcome == "PASS"


def test_a_smaller_fall_counts_where_the_deployment_is_seen_to_be_another_one() -> None:
    changed = {"baseline_changed": "its system fingerprint is fp_2, and was fp_1"}
    assert judged(0.80, 0.71, 0.73, **changed).outcome == "INCONCLUSIVE"
    assert "was fp_1" in judged(0.80, 0.71, 0.73, **changed).reasons[0]
    assert judged(0.80, 0.71, 0.71, **changed).outcome == "PASS"


def test_a_fail_stays_a_fail() -> None:
    assert judged(0.40, 0.71, 0.88).outcome == "FAIL"


def test_kept_answers_that_cant_be_read_are_never_a_silent_pass() -> None:
    found = judged(0.80, 0.71, None, kept_problem="the kept answers of live-1 are damaged")
    assert (found.outcome, found.checks[0].outcome) == ("INCONCLUSIVE", "INCONCLUSIVE")
    assert "are damaged" in found.reasons[0]


def test_where_lower_is_better_a_rise_is_the_fall() -> None:
    check = Check(metric="refusal_rate", kind="max_rise", threshold=0.05, field="a")
    rates = {"metric": "refused", "check": check}
    assert judged(0.2, 0.3, 0.1, **rates).outcome == "INCONCLUSIVE"
    assert judged(0.2, 0.3, 0.3, **rates).outcome == "PASS"


def test_a_margin_in_percent_and_a_gain_are_held_against_the_same_rule() -> None:
    share = msgspec.structs.replace(DROP, percent=True, threshold=0.1)
    gain = msgspec.structs.replace(DROP, kind="min_gain", threshold=0.01)
    for check in (share, gain):
        assert judged(0.80, 0.71, 0.88, check=check).outcome == "INCONCLUSIVE"
        assert judged(0.80, 0.71, 0.71, check=check).outcome == "PASS"


def test_latency_of_another_day_says_nothing() -> None:
    check = Check(metric="latency_mean_ms", kind="max_rise", threshold=0.2, percent=True, field="a")
    ours = results_of({"latency_ms": np.full(N, 100.0) + np.arange(N) % 7})
    now = results_of({"latency_ms": np.full(N, 300.0) + np.arange(N) % 5}, model="live-1")
    found = judge(
        policy_of(check),
        Evidence(
            candidate={"triage": ours},
            baseline={"triage": now},
            kept_baseline={"triage": replace(ours, model_id="live-1")},
        ),
    )
    assert found.outcome == "PASS"


def test_a_pass_of_an_early_look_does_not_slip_through() -> None:
    policy, found = policy_of(DROP), evidence(0.95, 0.60, 0.88)
    early = take_look(policy, found, LookHistory(look=3, rounds=10))
    assert early.stop
    verdict = judge(policy, found, LookHistory(look=3, rounds=10, past=(early,)))
    assert verdict.outcome == "INCONCLUSIVE"
