"""What is hopeless is refused, what is only undecided is left to people, and what was not measured to nobody."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from support.results import policy_of, results_of

from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.gate.replay import replay
from evals.records import Verdict

N = 600
LEVEL = {"metric": "exact", "kind": "at_least", "threshold": 0.8}
DROP = {"metric": "exact", "kind": "max_drop", "threshold": 0.05}


def run(ours: np.ndarray, theirs: np.ndarray, *checks: Any, **options: Any) -> tuple[Verdict, int]:
    def at(look: int) -> Evidence:
        asked = np.arange(ours.size) < ours.size * look // 10
        return Evidence(
            candidate={"triage": results_of({"exact": ours}, planned=asked)},
            baseline={"triage": results_of({"exact": theirs}, model="b", planned=asked)},
        )

    return replay(policy_of(*checks, **options), at, 10)


def drawn(rate: float, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random(N) < rate).astype(float)


def test_a_clearly_bad_model_is_refused_by_a_gate_as_a_newcomer_writes_it() -> None:
    outcomes = [
        run(drawn(0.71, seed), drawn(0.88, 100 + seed), LEVEL, DROP)[0].outcome
        for seed in range(30)
    ]
    assert outcomes.count("FAIL") >= 29


def test_what_is_refused_as_hopeless_says_where_and_shows_the_plain_bound() -> None:
    for seed in range(40):
        verdict, look = run(drawn(0.72, seed), drawn(0.8, 100 + seed), LEVEL)
        check = verdict.checks[0]
        if check.state == "given_up" and check.outcome == "FAIL":
            assert look < 10
            assert check.upper is not None
            assert check.upper < 0.8
            assert check.confidence == 0.95
            assert "would not pass" in check.reason
            return
    raise AssertionError("nothing was given up")


def test_a_model_that_is_only_not_shown_to_be_good_is_undecided() -> None:
    found = [run(drawn(0.82, seed), drawn(0.8, seed), LEVEL)[0].outcome for seed in range(30)]
    assert found.count("FAIL") <= 1
    assert found.count("INCONCLUSIVE") >= 15


def test_nobody_can_approve_what_was_not_measured() -> None:
    lost = np.full(N, math.nan)
    evidence = Evidence(
        candidate={"triage": results_of({"exact": lost})},
        baseline={"triage": results_of({"exact": np.ones(N)}, model="b")},
    )
    found = judge(policy_of(DROP), evidence)
    assert (found.outcome, found.takes) == ("INCONCLUSIVE", "override")
    assert [check.check for check in found.unmeasured] == ["exact max_drop 0.05"]


def test_people_can_approve_what_the_sample_could_not_tell() -> None:
    evidence = Evidence(candidate={"triage": results_of({"exact": drawn(0.8, 1)})}, baseline=None)
    found = judge(policy_of(LEVEL), evidence)
    assert (found.outcome, found.takes, found.unmeasured) == ("INCONCLUSIVE", "approve", ())


def test_what_is_given_up_undecided_says_what_would_decide_it() -> None:
    found = (run(drawn(0.8, seed), drawn(0.8, seed), LEVEL)[0].checks[0] for seed in range(40))
    undecided = [one for one in found if one.state == "given_up" and one.outcome == "INCONCLUSIVE"]
    assert undecided
    assert all("--no-early-stop" in one.reason for one in undecided)
