"""Runs, their evidence, people's answers, steps and the inbox."""

from __future__ import annotations

import pytest
from support.verdicts import stored_verdict

from evals.errors import RefusedError, RegistryError
from evals.records import SuiteResult
from flows.registry.records import Binding, RunRecord

TARGET = "triage"


def run(run_id="r1", **other):
    fields = {"run_id": run_id, "target": TARGET, "kind": "promotion", "requested_by": "hook"}
    return RunRecord(**{**fields, **other})


def kinds(registry):
    return [event.kind for event in reversed(registry.history(TARGET, 100, kinds=None))]


def test_a_run_is_recorded_with_the_time_and_found_again(registry):
    started, created = registry.start_run(run(trigger={"job_id": "j1"}, candidate_model="m1"))
    assert created
    assert started.state == "requested"
    assert started.created_at.endswith("Z")
    assert registry.run("r1") == started
    assert registry.run("r2") is None
    assert registry.runs() == registry.runs(TARGET) == (started,)
    assert registry.runs("other") == ()


def test_the_same_trigger_twice_is_one_run(registry):
    first, _ = registry.start_run(run("r1", trigger={"job_id": "j1"}))
    again, created = registry.start_run(run("r2", trigger={"job_id": "j1"}))
    assert (again, created) == (first, False)
    assert kinds(registry) == ["run_requested"]


def test_the_same_trigger_for_another_target_or_under_another_key_is_another_run(registry):
    registry.start_run(run("r1", trigger={"job_id": "j1"}))
    assert registry.start_run(run("r2", target="other", trigger={"job_id": "j1"}))[1]
    assert registry.start_run(run("r3", trigger={"job_id": "j1"}, trigger_key="again"))[1]


def test_scheduled_runs_with_the_same_trigger_are_runs_of_their_own(registry):
    for number in (1, 2):
        assert registry.start_run(run(f"r{number}", kind="regression", trigger={"cron": "x"}))[1]


def test_a_run_id_taken_by_something_else_is_an_error(registry):
    registry.start_run(run("r1"))
    with pytest.raises(RegistryError, match="promotion of triage already"):
        registry.start_run(run("r1", target="other"))


def test_runs_come_newest_first(registry):
    for number in range(5):
        registry.start_run(run(f"r{number}"))
    assert [found.run_id for found in registry.runs(TARGET, 3)] == ["r4", "r3", "r2"]


def test_what_is_learned_on_the_way_is_noted_until_the_verdict(registry, story):
    registry.start_run(run())
    noted = registry.note_run("r1", candidate_model="m1", baseline_generation=0, policy="triage")
    assert (noted.candidate_model, noted.policy) == ("m1", "triage")
    registry.save_verdict("r1", stored_verdict("m1", None))
    assert registry.note_run("r1", report="runs/r1/report.html").report == "runs/r1/report.html"
    with pytest.raises(RegistryError, match="is judged; candidate_model can't change"):
        registry.note_run("r1", candidate_model="m2")
    with pytest.raises(RegistryError, match="no colour"):
        registry.note_run("r1", colour="red")


def test_states_are_recorded_once_each(registry):
    registry.start_run(run())
    for state in ("preflight", "deploying", "deploying", "evaluating", "judged"):
        registry.set_run_state("r1", state)
    assert kinds(registry) == [
        "run_requested",
        "run_preflight",
        "run_deploying",
        "run_evaluating",
        "run_judged",
    ]


def test_promoted_needs_a_switch_and_is_not_left_again(registry, story):
    registry.start_run(run())
    with pytest.raises(RegistryError, match="made nothing live"):
        registry.set_run_state("r1", "promoted")
    story.promote("r2", "m1")
    with pytest.raises(RefusedError, match="was promoted"):
        registry.set_run_state("r2", "failed")


def test_an_unknown_run_is_an_error(registry, story):
    for change in (
        lambda: registry.set_run_state("r9", "failed"),
        lambda: registry.note_run("r9", policy="x"),
        lambda: registry.save_verdict("r9", stored_verdict("m1", None)),
        lambda: registry.record_step("r9", "ready", "done"),
    ):
        with pytest.raises(RegistryError, match="no run 'r9'"):
            change()


def test_a_verdict_is_written_once(registry, story):
    verdict = story.judged("r1", "m1")
    registry.save_verdict("r1", verdict)
    assert registry.verdict("r1") == verdict
    with pytest.raises(RegistryError, match="says something else"):
        registry.save_verdict("r1", stored_verdict("m1", None, "FAIL"))
    assert registry.verdict("r1") == verdict
    assert kinds(registry).count("verdict") == 1
    assert registry.verdict("r1", "production") is None


def test_suite_results_are_written_once(registry):
    registry.start_run(run())
    result = SuiteResult(
        run_id="r1",
        role="candidate",
        model_id="m1",
        suite="triage",
        suite_fingerprint="sha256:f",
        grader_versions={"exact_match": "1"},
        planned=10,
        answered=10,
        scored=10,
        errored=0,
        outcomes={"answered": 10},
        metrics={"exact_match": 0.9, "tone": None},
        evidence_digest="sha256:e",
    )
    registry.save_suite_result(result)
    registry.save_suite_result(result)
    assert registry.suite_results("r1") == (result,)
    assert registry.suite_results("r1", "production") == ()


def test_a_promotion_needs_a_run_that_is_promoting(registry, story):
    story.judged("r1", "m1")
    registry.set_run_state("r1", "failed", "its deployment is being removed")
    with pytest.raises(RefusedError, match="is failed, not promoting"):
        registry.switch(story.pointer("m1", "r1"), expected_generation=0, actor="a", reason="PASS")
    with pytest.raises(RefusedError, match="names none"):
        registry.switch(story.pointer("m1"), expected_generation=0, actor="a", reason="PASS")
    assert registry.live(TARGET) is None


def test_answers_are_kept_with_who_and_why(registry, story):
    verdict = story.judged("r1", "m1", stored_verdict("m1", None, "INCONCLUSIVE"))
    answer = registry.answer(
        "r1", "approve", actor="ana", reason="first release", binding=Binding.of(verdict)
    )
    again = registry.answer(
        "r1", "approve", actor="ana", reason="clicked twice", binding=Binding.of(verdict)
    )
    assert again == answer
    assert registry.answers("r1") == (answer,)
    assert registry.history(TARGET)[0].reason == "first release"


def test_steps_come_in_the_order_they_were_taken(registry):
    registry.start_run(run())
    registry.record_step("r1", "deploying", "begun", {"deployment": "d1"})
    registry.record_step("r1", "deploying", "done")
    assert [(mark.step, mark.phase, mark.detail) for mark in registry.steps("r1")] == [
        ("deploying", "begun", {"deployment": "d1"}),
        ("deploying", "done", {}),
    ]


def test_a_message_is_kept_until_it_is_done_with(registry):
    assert registry.inbox_put("msg-1", {"job_id": "j1"})
    assert not registry.inbox_put("msg-1", {"job_id": "j1"})
    registry.inbox_put("msg-2", {})
    assert registry.inbox_missed("msg-1", "no answer") == 1
    assert registry.inbox_missed("msg-1", "no answer") == 2
    first, second = registry.inbox_pending()
    assert (first.message_id, first.payload, first.attempts) == ("msg-1", {"job_id": "j1"}, 2)
    registry.inbox_done("msg-1", "run r1")
    registry.inbox_done("msg-1", "run r1")
    assert registry.inbox_pending() == (second,)
    assert not registry.inbox_put("msg-1", {"job_id": "j1"})
    with pytest.raises(RegistryError, match="no message 'msg-9'"):
        registry.inbox_done("msg-9", "?")


def test_the_registry_remembers_when_it_is_opened_again(url, registry, story):
    from flows.registry.store import Registry

    story.promote("r1", "m1")
    with Registry.open(url) as again:
        assert again.live(TARGET) == registry.live(TARGET)
        assert again.history(TARGET) == registry.history(TARGET)
