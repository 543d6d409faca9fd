"""Only a candidate's first try passes by itself."""

from __future__ import annotations

from typing import Any

import pytest
from support.verdicts import stored_verdict

from evals.gate.tries.rule import excluded_people, why_no_pass, with_tries
from evals.records import EarlierTry, Edit, TryCount, Verdict


def tries(number: int = 1, **more: Any) -> TryCount:
    return TryCount(
        **{
            "number": number,
            "candidates": 1,
            "window_s": 90 * 86400,
            "confidence": 0.95,
            "earlier": tuple(earlier(place) for place in range(1, number)),
            **more,
        }
    )


def earlier(number: int, **more: Any) -> EarlierTry:
    return EarlierTry(
        **{
            "run_id": f"run-{number}",
            "at": "2026-11-20T08:00:00.000000Z",
            "requested_by": "ana",
            "try_number": number,
            "outcome": "INCONCLUSIVE",
            **more,
        }
    )


def verdict(outcome: str) -> Verdict:
    return stored_verdict("model-2", "model-1", outcome)


def test_a_first_try_stands_as_it_was_judged() -> None:
    for outcome in ("PASS", "FAIL", "INCONCLUSIVE", "ERROR"):
        assert with_tries(verdict(outcome), tries()).outcome == outcome
        assert with_tries(verdict(outcome), tries()).reasons == ("as measured",)


def test_a_second_try_that_holds_asks_a_person_and_names_the_first() -> None:
    found = with_tries(verdict("PASS"), tries(2))
    assert found.outcome == "INCONCLUSIVE"
    assert found.reasons == (
        "this is try 2 of this candidate (try 1 was run run-1, INCONCLUSIVE, 2026-11-20): only a"
        " first try passes by itself, so a person has to approve",
        "as measured",
    )
    assert found.tries == tries(2)


@pytest.mark.parametrize("outcome", ["FAIL", "ERROR"])
def test_a_second_try_makes_nothing_better(outcome: str) -> None:
    assert with_tries(verdict(outcome), tries(2)).outcome == outcome


def test_a_killed_run_counts_like_any_other() -> None:
    killed = tries(2, earlier=(earlier(1, outcome=None),))
    assert "ended without a verdict" in why_no_pass(killed)[0]


def test_a_candidate_beyond_the_family_asks_a_person() -> None:
    assert with_tries(verdict("PASS"), tries(candidates=10, allowed=10)).outcome == "PASS"
    found = with_tries(verdict("PASS"), tries(candidates=11, allowed=10))
    assert found.outcome == "INCONCLUSIVE"
    assert "candidate 11 in 90 days, and the gate's family is 10" in found.reasons[0]


def test_a_loosened_gate_takes_somebody_else_even_after_an_evaluation() -> None:
    edit = Edit(of="gate", field="checks[0].max_drop", change="0.02 -> 0.05", looser=True)
    edited = tries(earlier=(earlier(0, requested_by="ben", edits=(edit,)),))
    found = with_tries(verdict("PASS"), edited)
    assert found.outcome == "INCONCLUSIVE"
    assert "run run-0 of this candidate did not pass" in found.reasons[0]
    assert "checks[0].max_drop: 0.02 -> 0.05" in found.reasons[0]
    assert excluded_people(edited, "ana") == ("ana", "ben")
    assert excluded_people(tries(2), "ana") == ()


def test_an_evaluation_is_judged_as_it_is() -> None:
    assert with_tries(verdict("PASS"), tries(0, earlier=(earlier(1),))).outcome == "PASS"


def test_a_gate_that_changed_after_the_choice_asks_a_person() -> None:
    held = with_tries(verdict("PASS"), tries(changed_since_chosen=("gate teams",)))
    assert held.outcome == "INCONCLUSIVE"
    assert held.reasons[0].startswith("gate teams changed after this candidate was chosen")


def test_candidates_that_add_up_to_more_than_their_family_ask_a_person() -> None:
    family = {"candidates": 4, "allowed": 4, "together": 0.95}
    held = with_tries(verdict("PASS"), tries(spent=0.0625, **family))
    assert held.outcome == "INCONCLUSIVE"
    assert "add up to a chance of 6.25% of a wrong promotion" in held.reasons[0]
    assert with_tries(verdict("PASS"), tries(spent=4 * (0.05 / 4), **family)).outcome == "PASS"
    assert with_tries(verdict("PASS"), tries(spent=float("nan"), **family)).outcome != "PASS"
