"""What a switch rests on is held against the chain of events: no row that was edited in the database makes a model live."""

from __future__ import annotations

import pytest
from support.verdicts import stored_verdict

from evals.errors import RegistryError
from flows.registry.records import Binding


@pytest.fixture
def url(tmp_path):
    """SQLite alone: what is compared is the same rows, whatever keeps them."""
    return f"sqlite:///{tmp_path}/registry.db"


def switch(registry, story, model="m2", run_id="r2", **options):
    return registry.switch(
        story.pointer(model, run_id),
        expected_generation=registry.generation("triage"),
        **{"actor": "automation", "reason": "PASS", **options},
    )


@pytest.fixture
def failed(registry, story):
    """One model is live; another one failed the gate, and its run stands before the switch."""
    story.promote("r1", "m1")
    story.judged("r2", "m2", stored_verdict("m2", "m1", "FAIL"))
    return registry


def test_a_verdict_edited_to_pass_makes_nothing_live(failed, story, tamper):
    tamper("UPDATE verdicts SET record = replace(record, 'FAIL', 'PASS') WHERE run_id = 'r2'")
    with pytest.raises(RegistryError) as caught:
        switch(failed, story)
    said = str(caught.value)
    assert said.startswith("the registry was changed past Gatewright: the developer verdict of run")
    assert "run r2 differs from event" in said
    assert "Nothing is made live for triage on that; `gatewright verify` names all" in said
    assert failed.live("triage").model_id == "m1"


def test_a_verdict_edited_with_a_digest_that_fits_makes_nothing_live(failed, story, tamper):
    from evals.records import digest
    from flows.registry.records import as_text

    better = stored_verdict("m2", "m1", "PASS")
    tamper(
        f"UPDATE verdicts SET record = '{as_text(better)}', digest = '{digest(better)}',"
        " outcome = 'PASS' WHERE run_id = 'r2'"
    )
    with pytest.raises(RegistryError, match="differs from event"):
        switch(failed, story)


def test_the_event_of_a_verdict_can_t_be_edited_along_with_it(failed, story, tamper):
    tamper("UPDATE verdicts SET record = replace(record, 'FAIL', 'PASS') WHERE run_id = 'r2'")
    tamper("UPDATE events SET data = replace(data, 'FAIL', 'PASS') WHERE run_id = 'r2'")
    with pytest.raises(RegistryError, match=r"event \d+ \(verdict, .*\) was altered"):
        switch(failed, story)


EDITS = {
    "an override is slipped in": (
        "INSERT INTO answers (seq, run_id, slot, decision, actor, record) SELECT 99, run_id, slot,"
        " 'override', 'eve', record FROM answers",
        "answer 99 differs",
    ),
    "a rejection is taken out": ("DELETE FROM answers", "the reject of ben"),
    "a production verdict is taken out": (
        "DELETE FROM verdicts WHERE slot = 'production'",
        "a verdict of run r2",
    ),
    "who asked is another one": (
        "UPDATE runs SET record = replace(record, 'automation', 'eve') WHERE run_id = 'r2'",
        "run r2 differs from its events in requested_by",
    ),
    "the time of a verdict is another one": (
        "UPDATE verdicts SET at = '2031-01-01T00:00:00.000000Z' WHERE run_id = 'r2'",
        "run r2 differs from event .* in at: it was altered",
    ),
    "the time a run was asked for is another one": (
        "UPDATE runs SET created_at = '2031-01-01T00:00:00.000000Z' WHERE run_id = 'r2'",
        "run r2 differs from its events in created_at",
    ),
    "the time a run was changed is another one": (
        "UPDATE runs SET updated_at = '2031-01-01T00:00:00.000000Z' WHERE run_id = 'r2'",
        "run r2 differs from its events in updated_at",
    ),
    "the time of a generation is another one": (
        "UPDATE pointers SET since = '2031-01-01T00:00:00.000000Z'",
        "generation 1 of triage differs",
    ),
    "the time of a hold is another one": (
        "UPDATE holds SET since = '2031-01-01T00:00:00.000000Z'",
        "the hold on triage differs",
    ),
    "a hold is lifted": ("DELETE FROM holds", "the hold on triage was lifted"),
    "what is live is another one": (
        "UPDATE pointers SET pointer = replace(pointer, 'm1', 'm0')",
        "generation 1 of triage differs",
    ),
    "an earlier try is taken out": ("DELETE FROM runs WHERE run_id = 'r0'", "run r0 was removed"),
    "a revocation is taken out": ("DELETE FROM events WHERE seq = 2", r"of \d+ events \d+ are"),
}


@pytest.fixture
def eventful(registry, story):
    """Everything that may keep a candidate from going live is on record."""
    story.promote("r1", "m1")
    story.judged("r0", "m2", stored_verdict("m2", "m1", "FAIL"))
    verdict = story.judged("r2", "m2", stored_verdict("m2", "m1", "INCONCLUSIVE"))
    registry.save_verdict("r2", stored_verdict("m2", "m1", "FAIL"), "production")
    registry.answer("r2", "reject", actor="ben", reason="no", binding=Binding.of(verdict))
    registry.set_run_state("r2", "promoting")
    registry.hold("triage", actor="ana", reason="incident")
    return registry


@pytest.mark.parametrize(("statement", "said"), EDITS.values(), ids=EDITS.keys())
def test_what_keeps_a_candidate_back_can_t_be_edited_away(eventful, story, tamper, statement, said):
    tamper(statement)
    with pytest.raises(RegistryError, match=said):
        switch(eventful, story)
    assert eventful.generation("triage") == 1


def test_going_back_does_not_go_to_what_never_was_live(registry, story, tamper):
    story.promote("r1", "m1")
    story.promote("r2", "m2")
    tamper(
        "UPDATE pointers SET model_id = 'mine', pointer = replace(pointer, 'm1', 'mine')"
        " WHERE generation = 1"
    )
    with pytest.raises(RegistryError, match="generation 1 of triage differs from event"):
        switch(registry, story, "mine", None, kind="rollback", actor="eve", reason="complaints")
    assert registry.live("triage").model_id == "m2"


def test_an_edit_to_another_target_keeps_nothing_back(registry, story, tamper):
    story.judged("r1", "m1")
    registry.hold("other", actor="ana", reason="incident")
    tamper("DELETE FROM holds")
    assert switch(registry, story, "m1", "r1").model_id == "m1"
