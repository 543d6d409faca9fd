"""A retry withdraws a verdict that lacks answers, keeps it in the chain, and voids what people answered to it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from sqlalchemy import text
from support.verdicts import stored_verdict

from evals.errors import RefusedError
from flows.registry.records import Binding


@pytest.fixture
def undecided(registry, story):
    story.promote("r1", "m1")
    verdict = story.judged("r2", "m2", stored_verdict("m2", "m1", "INCONCLUSIVE"))
    registry.answer("r2", "approve", actor="ana", reason="fine", binding=Binding.of(verdict))
    return verdict


def test_the_withdrawn_verdict_stays_in_the_chain_and_the_run_is_judged_once_more(
    registry, story, undecided
):
    run = registry.begin_retry("r2", actor="ben", missing=3)
    assert (run.state, registry.verdict("r2")) == ("evaluating", None)
    assert registry.verify() == ()
    (retry,) = registry.retries("r2")
    assert (retry.actor, retry.outcome, retry.missing) == ("ben", "INCONCLUSIVE", 3)
    assert retry.evidence_digest == undecided.evidence_digest
    registry.save_verdict("r2", stored_verdict("m2", "m1"))
    assert registry.verdict("r2").outcome == "PASS"
    assert registry.verify() == ()
    assert "run_retried" in [event.kind for event in registry.history("triage")]


@pytest.mark.parametrize("outcome", ["PASS", "FAIL"])
def test_a_verdict_that_no_answer_could_change_stands(registry, story, outcome):
    story.promote("r1", "m1")
    story.judged("r2", "m2", stored_verdict("m2", "m1", outcome))
    with pytest.raises(RefusedError, match=f"is {outcome}, and stands"):
        registry.begin_retry("r2", actor="ben", missing=3)


def test_a_fail_on_answered_alone_is_taken_up_and_bars_its_model_no_longer(registry, story):
    story.promote("r1", "m1")
    verdict = stored_verdict("m2", "m1", "FAIL")
    lost = tuple(replace(check, metric="answered") for check in verdict.checks)
    story.judged("r2", "m2", replace(verdict, checks=lost))
    registry.set_run_state("r2", "refused", "answered fell")
    assert registry.barred("triage", "m2") is not None
    registry.begin_retry("r2", actor="ben", missing=3)
    assert (registry.verdict("r2"), registry.barred("triage", "m2")) == (None, None)
    assert registry.verify() == ()


def test_a_verdict_removed_past_the_registry_is_still_found(registry, story, undecided):
    registry.begin_retry("r2", actor="ben", missing=3)
    registry.save_verdict("r2", stored_verdict("m2", "m1"))
    with registry.database.write() as writer:
        writer.connection.execute(text("DELETE FROM verdicts WHERE run_id = 'r2'"))
    assert any("a verdict of run r2" in problem for problem in registry.verify())
