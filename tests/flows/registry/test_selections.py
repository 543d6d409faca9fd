"""Fields and splits on record: written once, only added to, and what holds for those that were not chosen."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from support.selections import begin_selection, field_plan, settle_selection
from support.verdicts import stored_verdict

from evals.cases.table import CaseTable
from evals.errors import RegistryError
from evals.gate.tries.rule import why_no_pass
from evals.records import Candidate, Case, Message
from evals.selection.split import SplitRule
from flows.registry.records import RunRecord
from flows.registry.store import Registry

RULE = SplitRule(share=0.25)


def suite(count: int) -> dict[str, CaseTable]:
    asked = ((n, (Message(role="user", content=f"{n}?"),)) for n in range(count))
    return {"triage": CaseTable(Case(id=f"c{n}", messages=messages) for n, messages in asked)}


def judged(registry: Registry, run_id: str, model: str, outcome: str | None, **trigger: str) -> str:
    """A promotion of a model; returns its id."""
    registry.start_run(
        RunRecord(
            run_id=run_id,
            target="triage",
            kind="promotion",
            requested_by="ana",
            trigger={"model_id": model, **trigger},
            candidate=Candidate(model_id=model, target="triage"),
            candidate_model=model,
        )
    )
    if outcome is not None:
        registry.save_verdict(run_id, stored_verdict(model, None, outcome))
    return run_id


def whys(registry: Registry, run_id: str) -> str:
    return " ".join(why_no_pass(registry.count_tries(run_id, confidence=0.95)))


def test_a_case_is_dealt_once_and_new_ones_are_added(registry: Registry) -> None:
    begin_selection(registry, "m1", "m2")
    registry.deal_cases("triage-s1", suite(80), RULE)
    registry.deal_cases("triage-s1", suite(80), RULE)
    (first,) = registry.dealt("triage", "triage")
    assert len(first.choosing) == 20
    registry.deal_cases("triage-s1", suite(120), RULE)
    assert registry.dealt("triage", "triage")[0] == first
    assert len(registry.dealt("triage", "triage")[1].choosing) == 10
    assert registry.dealt("triage", "other") == ()
    assert registry.verify() == ()


def test_a_field_is_written_once(registry: Registry) -> None:
    begin_selection(registry, "m1", "m2")
    registry.enter_field("triage-s1", field_plan("m1", "m2"))
    with pytest.raises(RegistryError, match="on record already"):
        registry.enter_field("triage-s1", field_plan("m1", "m3"))
    assert list(registry.fields("triage")) == ["triage-s1"]
    assert registry.verify() == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE splits SET record = replace(record, '0.25', '0.26')", "a split of run triage-s1"),
        ("DELETE FROM splits", "a split of run triage-s1 (event"),
        ("DELETE FROM selections", "a selection of run triage-s1 (event"),
    ],
)
def test_a_split_that_was_altered_or_removed_is_found(
    registry: Registry, change: str, told: str
) -> None:
    begin_selection(registry, "m1", "m2")
    registry.deal_cases("triage-s1", suite(80), RULE)
    with registry.database.write() as writer:
        writer.connection.execute(text(change))
    assert any(told in problem for problem in registry.verify())


def test_the_winner_passes_by_itself_and_a_runner_up_only_after_it_passed(
    registry: Registry,
) -> None:
    selection = begin_selection(registry, "m1", "m2", "m3")
    settle_selection(registry, selection, 0)
    winner = judged(registry, "triage-1", "m1", None, selection=selection)
    assert whys(registry, winner) == ""
    second = judged(registry, "triage-2", "m2", None)
    assert "whose winner m1 did not pass (is not judged yet)" in whys(registry, second)
    registry.save_verdict(winner, stored_verdict("m1", None, "FAIL"))
    assert "did not pass (FAIL in run triage-1)" in whys(registry, second)
    again = judged(registry, "triage-3", "m1", "PASS", selection=selection, again="x")
    assert again
    assert whys(registry, second) == ""


def test_while_a_selection_has_not_chosen_nobody_of_it_passes_by_hand(registry: Registry) -> None:
    selection = begin_selection(registry, "m1", "m2")
    run_id = judged(registry, "triage-1", "m1", None)
    assert f"gatewright resume {selection}" in whys(registry, run_id)
    assert whys(registry, judged(registry, "triage-2", "m9", None)) == "", "not in the field"
    settle_selection(registry, selection, None)
    assert whys(registry, run_id) == "", "where nobody was chosen, nobody was judged"


def test_a_selection_that_never_ended_does_not_hold_the_winner_of_a_later_one(
    registry: Registry,
) -> None:
    begin_selection(registry, "m1", "m2")
    later = begin_selection(registry, "m1", "m3", run_id="triage-s2")
    settle_selection(registry, later, 0)
    assert whys(registry, judged(registry, "triage-1", "m1", None, selection=later)) == ""
    assert whys(registry, judged(registry, "triage-2", "m2", None)) != ""
