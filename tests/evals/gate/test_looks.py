"""Looking early spends alpha as planned, keeps what it decided, gives up in time, and holds up for nothing idle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.results import policy_of, results_of

from evals.errors import ConfigurationError
from evals.gate.examiner import Evidence
from evals.gate.judge import judge, take_look
from evals.gate.look_store import LookStore
from evals.gate.looks import LookEvent, LookHistory, RemainingCases
from evals.gate.replay import replay
from evals.stats.sequential import plan_looks

DROP = {"metric": "exact", "kind": "max_drop", "threshold": 0.05}
LEVEL = {"metric": "exact", "kind": "at_least", "threshold": 0.8}
N = 1000


@pytest.fixture
def evidence_at() -> Any:
    """Evidence after so many of ten equal rounds, from two columns of scores."""

    def at(
        ours: Any, theirs: Any, look: int, rounds: int = 10, column: str = "exact", **more: Any
    ) -> Evidence:
        asked = np.arange(len(ours)) < -(-len(ours) * look // rounds)
        return Evidence(
            candidate={"triage": results_of({column: ours}, planned=asked, **more)},
            baseline={"triage": results_of({column: theirs}, model="b", planned=asked, **more)},
        )

    return at


def scores(rate: float, seed: int = 0, size: int = N) -> np.ndarray:
    return (np.random.default_rng(seed).random(size) < rate).astype(float)


def only(event: LookEvent) -> Any:
    return event.checks[0]


def test_bounds_are_taken_at_the_level_of_the_look(evidence_at: Any) -> None:
    same = scores(0.9)
    for look in (1, 4, 10):
        past: tuple[LookEvent, ...] = ()
        blocked = policy_of({**DROP, "threshold": 0.001}, futility=False)
        for step in range(1, look + 1):
            at = LookHistory(look=step, rounds=10, past=past)
            past = (*past, take_look(blocked, evidence_at(same, same, step), at))
        planned = plan_looks(N).looks[look - 1]
        assert only(past[-1]).result.confidence == pytest.approx(planned.confidence)
        assert only(past[-1]).counted


def test_the_only_look_is_the_test_at_fixed_n(evidence_at: Any) -> None:
    ours, theirs = scores(0.9), scores(0.9, 1)
    whole = evidence_at(ours, theirs, 10)
    fixed = judge(policy_of(DROP, LEVEL), whole)
    once = judge(policy_of(DROP, LEVEL), whole, LookHistory(look=10, rounds=10))
    for one, other in zip(fixed.checks, once.checks, strict=True):
        assert (one.lower, one.outcome) == (pytest.approx(other.lower), other.outcome)


def test_what_is_decided_stays_decided_whatever_comes_after(evidence_at: Any) -> None:
    gate = policy_of(DROP, {**LEVEL, "threshold": 0.97})
    good = np.ones(N)
    first = take_look(gate, evidence_at(good, good, 2), LookHistory(look=2, rounds=10))
    assert only(first).decided
    assert not first.stop
    bad = good.copy()
    bad[200:] = 0.0
    past = (replace_look(first, 2),)
    later = judge(gate, evidence_at(bad, good, 3), LookHistory(look=3, rounds=10, past=past))
    assert later.checks[0] == only(first).result
    assert later.checks[0].outcome == "PASS"


def replace_look(event: LookEvent, look: int) -> LookEvent:
    return LookEvent(**{**{f: getattr(event, f) for f in event.__struct_fields__}, "look": look})


def test_a_failed_check_ends_the_run(evidence_at: Any) -> None:
    gate = policy_of({**LEVEL, "threshold": 0.999}, LEVEL)
    event = take_look(
        gate, evidence_at(scores(0.5), scores(0.5), 1), LookHistory(look=1, rounds=10)
    )
    assert (event.stop, event.needs) == (True, ())
    assert "FAIL" in event.why


def test_futility_can_be_switched_off(evidence_at: Any) -> None:
    ours, theirs = scores(0.86), scores(0.9)
    theirs = np.maximum(ours, theirs)
    outcomes = {}
    for futility in (True, False):
        gate = policy_of({**DROP, "threshold": 0.03}, futility=futility)
        verdict, look = replay(gate, lambda step: evidence_at(ours, theirs, step), 10)
        outcomes[futility] = (verdict.outcome, look)
    assert outcomes[True][0] in ("INCONCLUSIVE", "FAIL")
    assert outcomes[True][1] <= outcomes[False][1]


def test_a_check_given_up_says_that_it_would_not_pass(evidence_at: Any) -> None:
    ours = scores(0.9)
    ours[::15] = 0.0
    verdict, look = replay(
        policy_of(DROP), lambda step: evidence_at(ours, np.maximum(ours, scores(0.9)), step), 10
    )
    assert look < 10
    assert "would not pass" in verdict.reasons[0]


def test_what_does_not_decide_holds_up_nothing(evidence_at: Any) -> None:
    gate = policy_of(
        DROP,
        {**LEVEL, "threshold": 0.9999, "mode": "shadow"},
        {
            "metric": "latency_p95_ms",
            "kind": "at_most",
            "threshold": 1.0,
            "measure_on": "production",
        },
    )
    good = np.ones(N)
    event = take_look(gate, evidence_at(good, good, 3), LookHistory(look=3, rounds=10))
    assert event.stop
    assert event.why == "every deciding check is decided"


def test_a_point_decision_waits_for_all_cases(evidence_at: Any) -> None:
    gate = policy_of({**LEVEL, "decide_on": "point"})
    good = np.ones(N)
    _, look = replay(gate, lambda step: evidence_at(good, good, step), 10)
    assert look == 10


def test_an_outage_in_one_round_does_not_end_the_run(evidence_at: Any) -> None:
    gate = policy_of({"metric": "answered", "kind": "max_drop", "threshold": 0.05})
    answered, out = np.ones(N), np.ones(N)
    out[100:200] = 0.0
    found = evidence_at(out, answered, 2, column="answered")
    early = take_look(gate, found, LookHistory(look=2, rounds=10))
    assert (only(early).result.state, early.stop) == ("open", False)
    assert "judged at the last look" in only(early).result.reason
    at_end = LookHistory(look=10, rounds=10, past=(early,))
    for ours, outcome in ((out, "FAIL"), (answered, "PASS")):
        found = evidence_at(ours, answered, 10, column="answered")
        assert judge(gate, found, at_end).outcome == outcome


def test_no_look_is_made_before_thirty_cases_or_min_cases(evidence_at: Any) -> None:
    good = np.ones(200)
    gate = policy_of({**LEVEL, "threshold": 0.5}, {**LEVEL, "threshold": 0.5, "min_cases": 90})
    events: list[LookEvent] = []
    for step in range(1, 6):
        at = LookHistory(look=step, rounds=10, past=tuple(events))
        events.append(take_look(gate, evidence_at(good, good, step), at))
    counted = [[check.counted for check in event.checks] for event in events]
    assert [plain for plain, _ in counted[:2]] == [False, True]
    assert [least for _, least in counted] == [False, False, False, False, True]


def test_a_round_that_lost_its_answers_decides_nothing(evidence_at: Any) -> None:
    good = np.ones(N)
    lost = good.copy()
    lost[5:15] = np.nan
    event = take_look(policy_of(DROP), evidence_at(lost, good, 1), LookHistory(look=1, rounds=10))
    assert (only(event).decided, only(event).counted, event.stop) == (False, False, False)
    verdict, look = replay(policy_of(DROP), lambda step: evidence_at(lost, good, step), 10)
    assert (verdict.outcome, look) == ("PASS", 10)  # one case in a hundred at the end: just enough


def test_needs_name_the_models_and_the_slices_of_open_checks(evidence_at: Any) -> None:
    plan = ["enterprise" if number % 5 == 0 else "free" for number in range(N)]
    gate = policy_of(
        DROP,
        {**LEVEL, "threshold": 0.97, "where": {"plan": "enterprise"}},
        {**DROP, "threshold": 0.03, "where": {"plan": "free"}},
    )
    good = np.ones(N)
    at = evidence_at(good, good, 2, tags={"plan": plan})
    event = take_look(gate, at, LookHistory(look=2, rounds=10))
    assert set(map(repr, event.needs)) == {
        repr(RemainingCases(role="candidate", suite="triage", where={"plan": "enterprise"})),
        repr(RemainingCases(role="candidate", suite="triage", where={"plan": "free"})),
        repr(RemainingCases(role="baseline", suite="triage", where={"plan": "free"})),
    }


def test_a_need_that_is_part_of_a_wider_one_is_left_out(evidence_at: Any) -> None:
    gate = policy_of(
        {**LEVEL, "threshold": 0.999}, {**LEVEL, "threshold": 0.97, "where": {"plan": "a"}}
    )
    at = evidence_at(np.ones(N), np.ones(N), 1, tags={"plan": ["a", "b"] * (N // 2)})
    event = take_look(gate, at, LookHistory(look=1, rounds=10))
    assert event.needs == (RemainingCases(role="candidate", suite="triage"),)


def test_an_error_that_more_answers_cannot_mend_ends_the_run(evidence_at: Any) -> None:
    good = np.ones(N)
    at = evidence_at(good, good, 1)
    at = replace(at, baseline={"triage": replace(at.baseline["triage"], fingerprint="another")})
    event = take_look(policy_of(DROP), at, LookHistory(look=1, rounds=10))
    assert event.stop
    assert only(event).result.outcome == "ERROR"


def test_answers_that_end_early_spend_no_alpha_that_was_kept(evidence_at: Any) -> None:
    ours, theirs = scores(0.93), scores(0.9, 1)
    gate = policy_of(DROP, futility=False)
    verdict, look = replay(gate, lambda step: evidence_at(ours, theirs, step), 10, upto=2)
    assert (verdict.outcome, look) == ("INCONCLUSIVE", 2)
    assert verdict.checks[0].confidence > 0.99
    assert "no further answers are stored" in verdict.reasons[-1]


def test_the_look_book_keeps_the_first_of_two_and_passes_over_a_torn_line(
    tmp_path: Path, evidence_at: Any
) -> None:
    book, good = LookStore(tmp_path), np.ones(N)
    assert book.events() == ()
    one = take_look(policy_of(DROP), evidence_at(good, good, 1), LookHistory(look=1, rounds=10))
    book.append(one)
    with book.path.open("ab") as file:
        file.write(b'{"look":2,"roun')
    book.append(replace_look(one, 3))
    book.append(replace_look(one, 1))
    assert [event.look for event in book.events()] == [1, 3]
    assert book.event(1) == one
    assert book.needs() == {2: one.needs, 4: one.needs}


def test_a_gate_changed_between_two_looks_is_refused(tmp_path: Path, evidence_at: Any) -> None:
    book, gate = LookStore(tmp_path), policy_of(DROP)
    book.append(
        take_look(gate, evidence_at(np.ones(N), np.ones(N), 1), LookHistory(look=1, rounds=10))
    )
    book.require_same(gate)
    with pytest.raises(ConfigurationError, match="the gate was changed"):
        book.require_same(policy_of({**DROP, "threshold": 0.2}))


def test_the_same_answers_give_the_same_looks(evidence_at: Any) -> None:
    ours, theirs = scores(0.9), scores(0.91, 1)
    gate = policy_of(DROP, LEVEL)
    first = replay(gate, lambda step: evidence_at(ours, theirs, step), 10)
    assert first == replay(gate, lambda step: evidence_at(ours, theirs, step), 10)
