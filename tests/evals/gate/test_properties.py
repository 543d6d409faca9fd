"""What holds of the gate whatever the data: it never gets more generous by losing answers, order or strictness."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.results import policy_of, results_of

from evals.checks.check import Check
from evals.checks.comparison import compare, measure
from evals.gate.examiner import Evidence
from evals.gate.judge import judge

SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
SCORES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 0.75, 1.0])),
    min_size=2,
    max_size=150,
)
CHECKS = st.builds(
    Check,
    metric=st.just("score"),
    kind=st.sampled_from(["at_least", "max_drop", "min_gain"]),
    threshold=st.sampled_from([0.02, 0.1, 0.3, 0.6]),
    min_cases=st.sampled_from([None, 20]),
    if_too_few=st.sampled_from(["inconclusive", "fail", "report"]),
    where=st.sampled_from([{}, {"tag": "a"}]),
    field=st.just("checks[0].x"),
)
DROP = Check(metric="score", kind="max_drop", threshold=0.1)
GENEROUS = {"FAIL": 0, "INCONCLUSIVE": 1, "PASS": 2}


@pytest.fixture
def models() -> Any:
    """Candidate and baseline from pairs of scores, their cases in two slices."""

    def build(scores: Any, *, unscored: int = 0, clusters: Any = None, order: Any = None) -> Any:
        table = np.array([*scores, *[(math.nan, 1.0)] * unscored], dtype=float)
        tags = ["ab"[row % 2] for row in range(len(table))]
        order = np.arange(len(table)) if order is None else order
        codes = None if clusters is None else np.asarray(clusters)[order]
        ids = tuple(f"c{row:06}" for row in order)
        return tuple(
            replace(
                results_of(
                    {"score": table[order, side]},
                    model=name,
                    tags={"tag": [tags[row] for row in order]},
                    clusters=codes,
                ),
                case_ids=ids,
            )
            for side, name in enumerate(("candidate-1", "baseline-1"))
        )

    return build


def outcome(policy: Any, pair: Any, *checks: Check, **options: Any) -> str:
    ours, theirs = pair
    evidence = Evidence(candidate={"triage": ours}, baseline={"triage": theirs})
    return judge(policy(*checks, **options), evidence).outcome


@SETTINGS
@given(scores=SCORES, check=CHECKS, lost=st.integers(1, 5), share=st.sampled_from([0.5, 0.9, 0.99]))
def test_an_unscored_case_more_never_makes_a_pass(
    models: Any, scores: Any, check: Check, lost: int, share: float
) -> None:
    before = outcome(policy_of, models(scores), check, min_scored=share)
    after = outcome(policy_of, models(scores, unscored=lost), check, min_scored=share)
    assert before == "PASS" or after != "PASS"


@SETTINGS
@given(scores=SCORES, check=CHECKS, data=st.data())
def test_a_stricter_policy_never_turns_a_fail_into_a_pass(
    models: Any, scores: Any, check: Check, data: Any
) -> None:
    tighter = check.threshold / 2 if check.kind == "max_drop" else check.threshold * 1.5
    stricter = msgspec.structs.replace(check, threshold=tighter)
    confidence = data.draw(st.sampled_from([0.95, 0.99]))
    pair = models(scores)
    loose = outcome(policy_of, pair, check)
    strict = outcome(policy_of, pair, stricter, check, confidence=confidence, min_scored=1.0)
    assert not (loose == "FAIL" and strict == "PASS")
    assert not (loose == "INCONCLUSIVE" and strict == "PASS")


@SETTINGS
@given(scores=SCORES, seed=st.integers(0, 99))
def test_the_order_of_the_cases_never_matters(models: Any, scores: Any, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(scores))
    clusters = np.arange(len(scores)) // 3
    for groups in (None, clusters):
        here = models(scores, clusters=groups)
        there = models(scores, clusters=groups, order=order)
        first, second = compare(DROP, *here, 0.95), compare(DROP, *there, 0.95)
        assert first.lower == pytest.approx(second.lower, abs=1e-12)
        assert outcome(policy_of, here, DROP) == outcome(policy_of, there, DROP)


@SETTINGS
@given(scores=SCORES, confidence=st.sampled_from([0.8, 0.95, 0.999]))
def test_swapping_the_models_mirrors_the_interval(
    models: Any, scores: Any, confidence: float
) -> None:
    ours, theirs = models(scores)
    there = compare(DROP, ours, theirs, confidence)
    back = compare(DROP, theirs, ours, confidence)
    assert (there.lower, there.upper) == pytest.approx((-back.upper, -back.lower), abs=1e-9)


@SETTINGS
@given(scores=SCORES, groups=st.sampled_from([None, 3]), percent=st.booleans())
def test_an_interval_of_scores_never_has_width_0(
    models: Any, scores: Any, groups: int | None, percent: bool
) -> None:
    clusters = None if groups is None else np.arange(len(scores)) // groups
    ours, theirs = models(scores, clusters=clusters)
    level = Check(metric="score", kind="at_least", threshold=0.5)
    found = [measure(level, ours, theirs, 0.95)]
    if not percent or theirs.columns["score"].any():
        check = msgspec.structs.replace(DROP, percent=percent)
        found.append(compare(check, ours, theirs, 0.95))
    assert all(one.lower < one.upper for one in found)


@SETTINGS
@given(scores=SCORES, place=st.integers(0, 10_000))
def test_bounds_rise_with_every_score_and_widen_with_confidence(
    models: Any, scores: Any, place: int
) -> None:
    better = list(scores)
    better[place % len(scores)] = (1.0, scores[place % len(scores)][1])
    before = compare(DROP, *models(scores), 0.95)
    after = compare(DROP, *models(better), 0.95)
    surer = compare(DROP, *models(scores), 0.99)
    assert after.lower >= before.lower - 1e-12
    assert after.upper >= before.upper - 1e-12
    assert surer.lower <= before.lower
    assert surer.upper >= before.upper


@SETTINGS
@given(scores=SCORES, check=CHECKS)
def test_whatever_the_scores_judging_gives_a_verdict(
    models: Any, scores: Any, check: Check
) -> None:
    assert outcome(policy_of, models(scores), check) in (*GENEROUS, "ERROR")
