"""What is live, how it changes, and what keeps it from changing."""

from __future__ import annotations

import pytest
from support.verdicts import stored_verdict

from evals.errors import RefusedError, RegistryError, StaleGenerationError

TARGET = "triage"


def adopt(story, model, generation):
    return story.registry.switch(
        story.pointer(model),
        expected_generation=generation,
        actor="ana",
        reason="it runs already",
        kind="adopt",
    )


def roll_back(story, model, generation):
    return story.registry.switch(
        story.pointer(model),
        expected_generation=generation,
        actor="ana",
        reason="complaints",
        kind="rollback",
        hold=True,
    )


def test_nothing_is_live_at_first(registry):
    assert registry.live(TARGET) is None
    assert registry.generation(TARGET) == 0
    assert registry.previous(TARGET) is None
    assert registry.history(TARGET) == ()
    assert registry.targets() == ()


def test_a_promotion_makes_its_model_live_and_says_who_when_and_why(registry, story):
    story.promote("r1", "m1")
    live = registry.live(TARGET)
    assert (live.model_id, live.generation, live.run_id) == ("m1", 1, "r1")
    (change,) = registry.history(TARGET)
    assert (change.actor, change.reason, change.from_model, change.model_id) == (
        "automation",
        "PASS",
        None,
        "m1",
    )
    assert change.at == live.since
    assert change.at.endswith("Z")
    assert change.evidence_digest == "sha256:evidence-m1-None"
    assert registry.targets() == (TARGET,)


def test_a_switch_that_expects_an_older_generation_changes_nothing(registry, story):
    adopt(story, "m1", 0)
    with pytest.raises(StaleGenerationError, match=r"at generation 1 \(m1 is live\), not 0"):
        adopt(story, "m2", 0)
    assert registry.live(TARGET).model_id == "m1"
    assert len(registry.history(TARGET)) == 1


def test_a_switch_to_a_generation_not_yet_reached_changes_nothing(registry, story):
    with pytest.raises(StaleGenerationError, match="nothing was ever live"):
        adopt(story, "m1", 3)
    assert registry.live(TARGET) is None


def test_targets_do_not_touch_each_other(registry, story):
    adopt(story, "m1", 0)
    registry.switch(
        story.pointer("x1", target="other"),
        expected_generation=0,
        actor="ana",
        reason="first",
        kind="adopt",
    )
    assert registry.live(TARGET).model_id == "m1"
    assert registry.live("other").model_id == "x1"


@pytest.mark.parametrize(
    ("actor", "reason"), [("", "why"), ("  ", "why"), ("ana", ""), ("ana", " \n")]
)
def test_nothing_changes_without_an_actor_and_a_reason(registry, story, actor, reason):
    with pytest.raises(RefusedError):
        registry.switch(
            story.pointer("m1"), expected_generation=0, actor=actor, reason=reason, kind="adopt"
        )
    for change in (registry.hold, registry.release):
        with pytest.raises(RefusedError):
            change(TARGET, actor=actor, reason=reason)
    assert registry.history(TARGET) == ()


def test_going_back_finds_what_was_live_before(registry, story):
    story.promote("r1", "m1")
    story.promote("r2", "m2")
    assert registry.previous(TARGET).model_id == "m1"
    pointer = roll_back(story, "m1", 2)
    assert (pointer.model_id, pointer.generation) == ("m1", 3)
    assert registry.held(TARGET).reason == "complaints"


def test_going_back_twice_goes_further_back_and_never_to_what_was_left(registry, story):
    for number in (1, 2, 3):
        story.promote(f"r{number}", f"m{number}")
    roll_back(story, "m2", 3)
    assert registry.previous(TARGET).model_id == "m1"
    roll_back(story, "m1", 4)
    assert registry.previous(TARGET) is None


def test_after_a_rollback_and_a_new_promotion_the_way_back_is_to_what_was_rolled_back_to(
    registry, story
):
    story.promote("r1", "m1")
    story.promote("r2", "m2")
    roll_back(story, "m1", 2)
    registry.release(TARGET, actor="ana", reason="looked at")
    story.promote("r3", "m3")
    assert registry.previous(TARGET).model_id == "m1"


def test_a_model_that_was_never_live_is_nothing_to_go_back_to(registry, story):
    story.promote("r1", "m1")
    with pytest.raises(RefusedError, match="never live"):
        roll_back(story, "m9", 1)


def test_a_revoked_model_is_passed_over_and_refused_by_name(registry, story):
    for number in (1, 2, 3):
        story.promote(f"r{number}", f"m{number}")
    registry.revoke(TARGET, "m2", actor="regression", reason="accuracy fell to 0.61")
    assert registry.previous(TARGET).model_id == "m1"
    assert "accuracy fell" in registry.barred(TARGET, "m2")
    with pytest.raises(RefusedError, match="revoked by regression"):
        roll_back(story, "m2", 3)
    with pytest.raises(RefusedError, match="revoked by regression"):
        adopt(story, "m2", 3)


def test_revoking_holds_the_target_and_reinstating_lifts_the_bar(registry, story):
    story.promote("r1", "m1")
    story.promote("r2", "m2")
    registry.revoke(TARGET, "m1", actor="regression", reason="worse")
    assert registry.held(TARGET).actor == "regression"
    assert registry.previous(TARGET) is None
    registry.reinstate(TARGET, "m1", actor="ana", reason="the suite was broken")
    assert registry.previous(TARGET).model_id == "m1"


def test_a_model_refused_on_its_verdict_is_nothing_to_go_back_to(registry, story):
    story.promote("r1", "m1")
    story.promote("r2", "m2")
    story.judged("r3", "m1", stored_verdict("m1", "m2", "FAIL"))
    registry.set_run_state("r3", "refused", "exact_match fell")
    assert registry.previous(TARGET) is None
    assert "exact_match fell" in registry.barred(TARGET, "m1")


def test_a_run_refused_for_a_hold_says_nothing_of_its_model(registry, story):
    story.promote("r1", "m1")
    story.promote("r2", "m2")
    story.judged("r3", "m1")
    registry.set_run_state("r3", "refused", "held")
    assert registry.barred(TARGET, "m1") is None


def test_a_hold_stands_until_it_is_released(registry):
    first = registry.hold(TARGET, actor="ana", reason="incident 12")
    assert registry.hold(TARGET, actor="ben", reason="me too") == first
    assert registry.held(TARGET).reason == "incident 12"
    released = registry.release(TARGET, actor="ben", reason="over")
    assert (released.since, released.also) == (first.since, ("ben: me too",))
    assert registry.held(TARGET) is None
    assert registry.release(TARGET, actor="ben", reason="over") is None
    assert [event.kind for event in registry.history(TARGET)] == ["release", "hold", "hold"]


def test_withdrawing_leaves_nothing_live_and_the_generations_go_on(registry, story):
    story.promote("r1", "m1")
    assert registry.withdraw(TARGET, expected_generation=1, actor="ana", reason="half done") == 2
    assert registry.live(TARGET) is None
    assert registry.generation(TARGET) == 2
    story.promote("r2", "m2")
    assert registry.live(TARGET).generation == 3
    assert registry.previous(TARGET).model_id == "m1"


def test_a_run_restores_exactly_what_it_replaced(registry, story):
    story.promote("r1", "m1")
    story.promote("r2", "m2")
    with pytest.raises(RefusedError, match="not put there by run r1"):
        registry.switch(
            story.pointer("m1", "r1"),
            expected_generation=2,
            actor="a",
            reason="undo",
            kind="restore",
        )
    with pytest.raises(RefusedError, match="not what was live"):
        registry.switch(
            story.pointer("m0", "r2"),
            expected_generation=2,
            actor="a",
            reason="undo",
            kind="restore",
        )
    restored = registry.switch(
        story.pointer("m1", "r2"), expected_generation=2, actor="a", reason="undo", kind="restore"
    )
    assert (restored.model_id, restored.generation) == ("m1", 3)


def test_what_was_superseded_is_listed_with_the_time_its_successor_came(registry, story):
    story.promote("r1", "m1")
    story.promote("r2", "m2")
    (old,) = registry.superseded(TARGET)
    assert (old.model_id, old.deployment, old.until) == (
        "m1",
        "prod-m1",
        registry.live(TARGET).since,
    )


def test_a_text_with_a_nul_character_is_refused_on_every_database(registry):
    with pytest.raises(RegistryError, match="NUL"):
        registry.hold(TARGET, actor="ana", reason="a\x00b")
    assert registry.held(TARGET) is None


def test_a_hold_tells_every_reason_the_first_one_first(registry):
    registry.hold(TARGET, actor="gatewright", reason="it got worse")
    registry.hold(TARGET, actor="ana", reason="wrong refunds")
    assert registry.held(TARGET).why == "it got worse; and by ana: wrong refunds"
    registry.release(TARGET, actor="ana", reason="over")
    registry.hold(TARGET, actor="bo", reason="again")
    assert registry.held(TARGET).why == "again"
