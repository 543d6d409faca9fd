"""The rules of answering a judged run, as the command line and the pages share them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from support.project import Project

from evals.errors import ConfigurationError, RefusedError
from evals.gate.look_store import LookStore
from evals.gate.looks import LookEvent
from evals.records import CheckResult
from evals.suites.opened import open_suite
from flows.approvals.answers import answer_run, give_answer
from flows.approvals.questions import question_of
from flows.config.recorded_target import plain_target
from flows.config.target import load_target
from flows.registry.judged_by import JudgedBy
from flows.registry.store import Registry

SERVED = """\
version: 1
name: triage
platform: openai
openai: {base_url: "http://127.0.0.1:1/v1"}
suites: [letters]
gate: triage
"""
SUITE = """\
version: 1
name: letters
prompt: [{role: user, content: "{{ item.ticket }}"}]
graders: [{name: exact, type: exact}]
"""
CASE = {"id": "c1", "item": {"ticket": "broken"}, "expected": "low"}


def say(settings: Any, decision: str, actor: str = "bo", run_id: str = "triage-1") -> str:
    return answer_run(settings, run_id, decision, actor=actor, reason="looked at it")  # type: ignore[arg-type]


def test_an_approval_is_recorded_bound_to_what_was_judged(
    settings: Any, story: Any, registry: Any
) -> None:
    story.judged("INCONCLUSIVE")
    assert say(settings, "approve") == "approved by bo (1 of 1): the promotion goes on"
    (answer,) = registry.answers("triage-1")
    assert (answer.actor, answer.binding.evidence_digest) == ("bo", "sha256:evidence-of-model-2")
    assert registry.run("triage-1").state == "waiting"


def test_the_requester_may_not_approve(settings: Any, story: Any, registry: Any) -> None:
    story.judged("INCONCLUSIVE", requested_by="bo")
    with pytest.raises(RefusedError, match=r"bo asked for this promotion; .*GATEWRIGHT_ACTOR"):
        say(settings, "approve")
    assert registry.answers("triage-1") == ()
    assert "approved by cy" in say(settings, "approve", "cy")


@pytest.mark.parametrize("spelling", ["Bo", " bo ", "ｂｏ", "b\u200bo"])
def test_the_requester_may_not_approve_under_another_spelling(
    settings: Any, story: Any, registry: Any, spelling: str
) -> None:
    story.judged("INCONCLUSIVE", requested_by="bo")
    with pytest.raises(RefusedError, match="asked for this promotion"):
        say(settings, "approve", spelling)
    assert registry.answers("triage-1") == ()


def test_the_requester_may_where_the_gate_lets_them(settings: Any, story: Any) -> None:
    gate = settings.gates / "triage.yaml"
    gate.write_text(gate.read_text().replace("not_requester: true", "not_requester: false"))
    story.judged("INCONCLUSIVE", requested_by="bo")
    assert "goes on" in say(settings, "approve")


def test_two_approvals_are_two_people(settings: Any, story: Any) -> None:
    gate = settings.gates / "triage.yaml"
    gate.write_text(gate.read_text().replace("{required: 1", "{required: 2"))
    story.judged("INCONCLUSIVE")
    assert say(settings, "approve") == "approved by bo (1 of 2): it waits for the others"
    assert say(settings, "approve") == "approved by bo (1 of 2): it waits for the others"
    assert say(settings, "approve", "cy") == "approved by cy (2 of 2): the promotion goes on"


def test_an_approval_that_comes_too_late_is_refused_and_closes_the_run(
    settings: Any, story: Any, registry: Any
) -> None:
    run = story.judged("INCONCLUSIVE")
    tomorrow = datetime.now(UTC) + timedelta(hours=25)
    with Registry.open(settings.registry_url, now=lambda: tomorrow) as later:
        question = question_of(settings, later, run)
        assert question is not None
        assert question.expired
        with pytest.raises(RefusedError, match="expiry is rejection"):
            give_answer(settings, later, "triage-1", "approve", actor="bo", reason="late, sorry")
    assert registry.run("triage-1").state == "refused"
    assert registry.answers("triage-1") == ()


def test_a_rejection_closes_the_run_and_bars_the_model(
    settings: Any, story: Any, registry: Any
) -> None:
    story.judged("INCONCLUSIVE")
    assert say(settings, "reject") == "rejected by bo; what is live stays live"
    run = registry.run("triage-1")
    assert (run.state, run.detail) == ("refused", "rejected by bo: looked at it")
    assert "refused by bo" in registry.barred("triage", "model-2")
    with pytest.raises(RefusedError, match="asks nothing"):
        say(settings, "approve")


def test_what_stands_in_production_already_is_left_for_the_flow_to_remove(
    settings: Any, story: Any, registry: Any
) -> None:
    story.judged("PASS")
    registry.save_verdict(
        "triage-1", story.verdict("INCONCLUSIVE", "model-2", "slow"), "production"
    )
    registry.record_step("triage-1", "deploying", "done", {})
    assert "removes what it deployed" in say(settings, "reject")
    assert registry.run("triage-1").state == "waiting"
    assert registry.answers("triage-1", "production")[0].decision == "reject"


def test_the_question_is_about_the_production_checks_once_they_were_measured(
    settings: Any, story: Any, registry: Any
) -> None:
    run = story.judged("PASS")
    registry.save_verdict(
        "triage-1", story.verdict("INCONCLUSIVE", "model-2", "slow"), "production"
    )
    question = question_of(settings, registry, run)
    assert question is not None
    assert question.slot == "production"


def test_a_pass_asks_nothing(settings: Any, story: Any) -> None:
    story.judged("PASS", state="promoting")
    with pytest.raises(RefusedError, match="is promoting and asks nothing"):
        say(settings, "approve")


def test_a_fail_takes_an_override_by_as_many_as_the_gate_asks_for(
    settings: Any, story: Any, registry: Any
) -> None:
    story.judged("FAIL", state="refused")
    with pytest.raises(RefusedError, match="that takes 'override'"):
        say(settings, "approve")
    assert say(settings, "override") == "overridden by bo (1 of 2): it waits for the others"
    assert registry.run("triage-1").state == "waiting"
    for spelling in ("Bo", "bo ", "ＢＯ"):  # still one person
        assert say(settings, "override", spelling).endswith("(1 of 2): it waits for the others")
    assert len(registry.answers("triage-1")) == 1
    assert say(settings, "override", "cy") == "overridden by cy (2 of 2): the promotion goes on"


def test_nobody_can_approve_what_was_not_measured(settings: Any, story: Any) -> None:
    lost = msgspec.structs.replace(
        story.verdict("INCONCLUSIVE", "model-2", "only 0.00% were scored").checks[0], measured=False
    )
    story.judged("INCONCLUSIVE", also=(lost,))
    with pytest.raises(
        RefusedError,
        match=r"takes 'override', not 'approve'; too little was measured .*gatewright retry triage-1",
    ):
        say(settings, "approve")
    assert say(settings, "override") == "overridden by bo (1 of 2): it waits for the others"


def test_what_the_gate_calls_not_overridable_is_not_overridden(settings: Any, story: Any) -> None:
    story.judged("FAIL", state="refused", overridable=False)
    refusal = "the gate lets nobody override 'exact_match at_least 0.5'$"
    with pytest.raises(RefusedError, match=refusal):
        say(settings, "override")


def undecided(story: Any) -> CheckResult:
    """A check that wants proof and has none yet."""
    (check,) = story.verdict("INCONCLUSIVE", "model-2", "open", overridable=False).checks
    return msgspec.structs.replace(check, check="json_valid at_least 0.9")


def looked(settings: Any, look: int) -> None:
    """The run looked early, and stopped asking at this look of ten."""
    event = LookEvent(
        look=look,
        rounds=10,
        policy_digest="sha256:policy",
        evidence_digest="sha256:evidence",
        checks=(),
        needs=(),
        stop=True,
    )
    LookStore(settings.run_folder("triage-1")).append(event)


def test_what_was_left_undecided_by_ending_early_is_named_with_the_command_that_decides_it(
    settings: Any, story: Any
) -> None:
    story.judged("FAIL", state="refused", also=(undecided(story),))
    looked(settings, 3)
    with pytest.raises(RefusedError) as caught:
        say(settings, "override")
    said = str(caught.value)
    assert "'json_valid at_least 0.9', undecided because asking ended early" in said
    assert "exact_match at_least 0.5'" not in said
    command = "gatewright promote triage --job ftjob-triage-1 --again --no-early-stop"
    assert said.endswith(f"to decide it, ask every case: {command}")


def test_what_all_cases_left_undecided_is_not_said_to_need_more_asking(
    settings: Any, story: Any
) -> None:
    story.judged("FAIL", state="refused", also=(undecided(story),))
    looked(settings, 10)
    with pytest.raises(RefusedError, match="which stay undecided; a larger suite may decide that"):
        say(settings, "override")


def test_a_failed_check_that_nobody_may_override_leaves_no_way_out(
    settings: Any, story: Any
) -> None:
    story.judged("FAIL", state="refused", overridable=False, also=(undecided(story),))
    looked(settings, 3)
    with pytest.raises(RefusedError, match="lets nobody override 'exact_match") as caught:
        say(settings, "override")
    assert "json_valid" in str(caught.value)
    assert "--no-early-stop" not in str(caught.value)


def test_a_gate_that_was_changed_since_voids_the_question(settings: Any, story: Any) -> None:
    story.judged("INCONCLUSIVE")
    gate = settings.gates / "triage.yaml"
    gate.write_text(gate.read_text().replace("at_least: 0.5", "at_least: 0.4"))
    with pytest.raises(
        RefusedError,
        match=r"the gate was changed since the verdict; `gatewright promote triage .*--again`.*a further try",
    ):
        say(settings, "approve")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("labels", "suite letters was changed since the verdict"),
        ("base_url", "the target's address was changed since the verdict"),
    ],
)
@pytest.mark.parametrize("answered", [False, True], ids=["before the answer", "after it"])
def test_an_approval_is_void_once_suite_or_address_were_changed(
    settings: Any, story: Any, registry: Any, edit: str, said: str, answered: bool
) -> None:
    """Asked for under one suite and address, it lets nothing go live under another."""
    place = Project(settings.home.parent)
    place.write_target("triage", SERVED)
    settings = replace(settings, datasets=place.datasets)
    place.write_suite("letters", SUITE, [CASE])
    run = story.judged("INCONCLUSIVE")
    registry.note_judged_by("triage-1", judged_by_now(settings))
    if answered:
        say(settings, "approve")
    if edit == "labels":
        place.write_suite("letters", SUITE, [{**CASE, "expected": "high"}])
    else:
        place.write_target("triage", SERVED.replace("127.0.0.1:1", "127.0.0.1:2"))
    with pytest.raises(RefusedError, match=f"{said}; `gatewright promote triage .*--again` judges"):
        say(settings, "approve", "cy")
    with pytest.raises(RefusedError, match=said):
        question_of(settings, registry, run)


def judged_by_now(settings: Any) -> JudgedBy:
    target = load_target(settings.targets, "triage")
    fingerprints = {"letters": open_suite(settings.datasets / "letters").fingerprint}
    return JudgedBy(
        policy_digest="", fingerprints=fingerprints, gate={}, target=plain_target(target)
    )


def test_a_baseline_that_moved_voids_it_too(settings: Any, story: Any) -> None:
    story.judged("INCONCLUSIVE")
    story.live("model-9")
    with pytest.raises(RefusedError, match="something else was made live"):
        say(settings, "approve")


def test_a_held_target_is_released_first(settings: Any, story: Any, registry: Any) -> None:
    story.judged("INCONCLUSIVE")
    registry.hold("triage", actor="ana", reason="incident")
    with pytest.raises(RefusedError, match="release it first"):
        say(settings, "approve")
    assert registry.run("triage-1").state == "waiting"


def test_a_blank_reason_and_an_unknown_run_are_refused(settings: Any, story: Any) -> None:
    story.judged("INCONCLUSIVE")
    with pytest.raises(RefusedError, match="reason is required"):
        answer_run(settings, "triage-1", "approve", actor="bo", reason="  ")
    with pytest.raises(ConfigurationError, match="did you mean 'triage-1'"):
        say(settings, "approve", run_id="triage-2")
