"""Tries are counted from the chain of events: by candidate, whatever it was named by and however its run ended."""

from __future__ import annotations

import pytest
from support.registry import Story
from support.verdicts import stored_check, stored_verdict

from evals.errors import RefusedError
from evals.gate.tries.family import Family
from evals.gate.tries.rule import why_no_pass, with_tries
from evals.records import Candidate, EarlierTry, Edit, SuiteResult, TryCount
from flows.registry.judged_by import JudgedBy
from flows.registry.records import Binding, RunRecord
from flows.registry.store import Registry


def started(registry: Registry, run_id: str, model: str = "model-2", **more: object) -> RunRecord:
    live = registry.live("triage")
    job = more.pop("job", None)
    run = RunRecord(
        run_id=run_id,
        target="triage",
        requested_by="ana",
        candidate_model=model,
        candidate=Candidate(model_id=model, target="triage", job_id=job),  # type: ignore[arg-type]
        baseline_model=live.model_id if live else None,
        baseline_generation=registry.generation("triage"),
        **{"kind": "promotion", **more},  # type: ignore[arg-type]
    )
    return registry.start_run(run)[0]


def count(registry: Registry, run_id: str, **more: object):
    return registry.count_tries(run_id, **{"confidence": 0.95, **more})


def judged(registry: Registry, run_id: str, model: str, outcome: str = "INCONCLUSIVE") -> None:
    registry.save_verdict(run_id, stored_verdict(model, None, outcome))


def test_a_run_that_took_one_look_is_a_try_also_when_it_was_killed(registry: Registry) -> None:
    started(registry, "run-1")
    assert registry.tries_of("triage", "model-2") == ()
    registry.note_first_look("run-1", 1)
    registry.set_run_state("run-1", "failed", "killed")
    (only,) = registry.tries_of("triage", "model-2")
    assert [one.run.run_id for one in only.runs] == ["run-1"]
    started(registry, "run-2")
    found = count(registry, "run-2")
    assert found.number == 2
    assert [(one.run_id, one.try_number, one.outcome) for one in found.earlier] == [
        ("run-1", 1, None)
    ]


def test_looks_after_the_first_one_make_no_further_try(registry: Registry) -> None:
    started(registry, "run-1")
    for look in (1, 2, 3):
        registry.note_first_look("run-1", look)
    judged(registry, "run-1", "model-2")
    assert count(registry, "run-1").number == 1
    assert len(registry.tries_of("triage", "model-2")) == 1


def test_a_run_without_a_look_or_a_verdict_is_no_try(registry: Registry) -> None:
    started(registry, "run-1")
    registry.set_run_state("run-1", "failed", "no quota")
    started(registry, "run-2")
    assert count(registry, "run-2").number == 1


def test_an_error_before_anything_was_measured_is_no_try(registry: Registry) -> None:
    for number, n in ((1, 0), (2, 40)):
        started(registry, f"run-{number}")
        verdict = stored_verdict("model-2", None, "ERROR", checks=(stored_check("ERROR", n=n),))
        registry.save_verdict(f"run-{number}", verdict)
    assert [try_.runs[0].run.run_id for try_ in registry.tries_of("triage", "model-2")] == ["run-2"]


def test_one_model_named_in_two_ways_is_one_candidate(registry: Registry) -> None:
    started(registry, "run-1", "ft:one", job="ftjob-1")
    judged(registry, "run-1", "ft:one")
    started(registry, "run-2", "copy-of-one", job="ftjob-1")
    assert count(registry, "run-2").number == 2
    started(registry, "run-3", "ft:two", job="ftjob-2")
    found = count(registry, "run-3")
    assert (found.number, found.candidates) == (1, 2)


@pytest.mark.parametrize("order", [("job", "checkpoint"), ("checkpoint", "job")])
def test_the_last_checkpoint_of_a_job_is_the_jobs_model(
    registry: Registry, order: tuple[str, str]
) -> None:
    of_job = Candidate(model_id="model-2", target="triage", job_id="ftjob-1")
    of_checkpoint = Candidate(
        model_id="ckpt-9",
        target="triage",
        job_id="ftjob-1",
        checkpoint="ckpt-9",
        weights_of="model-2",
    )
    named = {"job": of_job, "checkpoint": of_checkpoint}
    for number, how in enumerate(order, start=1):
        started(registry, f"run-{number}", named[how].model_id)
        registry.note_run(f"run-{number}", actor="gatewright", candidate=named[how])
        registry.note_first_look(f"run-{number}", 1)
    assert count(registry, "run-2").number == 2


def test_an_evaluation_is_no_try_but_its_candidate_counts(registry: Registry) -> None:
    started(registry, "eval-1", "model-3", kind="evaluation")
    judged(registry, "eval-1", "model-3", "FAIL")
    assert count(registry, "eval-1").number == 0
    started(registry, "run-1", "model-3")
    found = count(registry, "run-1")
    assert (found.number, [one.try_number for one in found.earlier]) == (1, [0])
    started(registry, "run-2", "model-4")
    assert count(registry, "run-2").candidates == 2


@pytest.mark.parametrize(("answered", "number"), [(0, 1), (1, 2)])
def test_a_run_to_which_the_candidate_answered_nothing_is_no_try(
    registry: Registry, answered: int, number: int
) -> None:
    started(registry, "run-1")
    registry.note_first_look("run-1", 1)
    result = SuiteResult(
        run_id="run-1",
        role="candidate",
        model_id="model-2",
        suite="triage",
        suite_fingerprint="sha256:suite",
        grader_versions={},
        planned=300,
        answered=answered,
        scored=answered,
        errored=300 - answered,
        outcomes={},
        metrics={},
        evidence_digest="sha256:evidence",
    )
    registry.save_suite_result(result)
    judged(registry, "run-1", "model-2")
    started(registry, "run-2")
    assert count(registry, "run-2").number == number


def test_a_pass_that_only_a_hold_kept_from_going_live_does_not_count_against_the_next_run(
    registry: Registry,
) -> None:
    started(registry, "run-1")
    judged(registry, "run-1", "model-2", "PASS")
    registry.set_run_state("run-1", "refused", "triage is held")
    started(registry, "run-2", trigger={"model_id": "model-2", "again": "now"})
    assert count(registry, "run-2").number == 1


def test_a_pass_that_a_person_rejected_counts(registry: Registry) -> None:
    started(registry, "run-1")
    judged(registry, "run-1", "model-2", "PASS")
    bound = Binding.of(stored_verdict("model-2", None))
    registry.answer("run-1", "reject", actor="ben", reason="it is rude", binding=bound)
    started(registry, "run-2", trigger={"model_id": "model-2", "again": "now"})
    assert count(registry, "run-2").number == 2


def test_a_pass_that_production_did_not_confirm_counts(registry: Registry) -> None:
    started(registry, "run-1")
    judged(registry, "run-1", "model-2", "PASS")
    registry.save_verdict("run-1", stored_verdict("model-2", None, "FAIL"), "production")
    started(registry, "run-2", trigger={"model_id": "model-2", "again": "now"})
    found = count(registry, "run-2")
    assert (found.number, found.earlier[0].outcome) == (2, "FAIL")


@pytest.mark.parametrize(("outcome", "number"), [("PASS", 1), ("INCONCLUSIVE", 2), ("FAIL", 2)])
def test_judging_once_more_is_the_same_try_only_after_a_pass(
    registry: Registry, outcome: str, number: int
) -> None:
    started(registry, "run-1")
    judged(registry, "run-1", "model-2", outcome)
    started(registry, "run-2", trigger={"model_id": "model-2", "rejudges": "run-1"})
    assert count(registry, "run-2").number == number


def test_a_second_rejudgement_after_one_that_did_not_pass_is_another_try(
    registry: Registry,
) -> None:
    started(registry, "run-1")
    judged(registry, "run-1", "model-2", "PASS")
    for number, outcome in ((2, "INCONCLUSIVE"), (3, "PASS")):
        mark = {"model_id": "model-2", "rejudges": "run-1", "early_stop": f"x{number}"}
        started(registry, f"run-{number}", trigger=mark)
        judged(registry, f"run-{number}", "model-2", outcome)
    assert [count(registry, f"run-{number}").number for number in (1, 2, 3)] == [1, 1, 2]


def test_the_last_door_refuses_a_second_try_that_says_pass(
    registry: Registry, story: Story
) -> None:
    started(registry, "run-1", "model-2")
    judged(registry, "run-1", "model-2", "FAIL")
    story.judged("run-2", "model-2")
    with pytest.raises(RefusedError, match="this is try 2 of this candidate"):
        registry.switch(
            story.pointer("model-2", "run-2"),
            expected_generation=0,
            actor="automation",
            reason="PASS",
            kind="first_release",
        )
    assert registry.live("triage") is None


def test_candidates_are_counted_within_the_window(registry: Registry) -> None:
    for number in range(3):
        started(registry, f"run-{number}", f"model-{number}")
        judged(registry, f"run-{number}", f"model-{number}")
    assert count(registry, "run-2").candidates == 3
    assert count(registry, "run-2", window_s=0).candidates == 1
    assert registry.verify() == ()


def refusal(registry: Registry, story: Story, run_id: str, model: str) -> str:
    """What the last door says to a switch."""
    with pytest.raises(RefusedError) as caught:
        registry.switch(
            story.pointer(model, run_id),
            expected_generation=registry.generation("triage"),
            actor="automation",
            reason="PASS",
            kind="first_release",
        )
    return str(caught.value)


def test_the_last_door_counts_the_family_anew(registry: Registry, story: Story) -> None:
    started(registry, "run-1", "model-1")
    judged(registry, "run-1", "model-1")
    said = TryCount(number=1, candidates=1, window_s=86400, confidence=0.95, allowed=1)
    story.judged("run-2", "model-2", stored_verdict("model-2", None, tries=said))
    assert "candidate 2 in 1 day" in refusal(registry, story, "run-2", "model-2")


def test_the_last_door_takes_no_approval_of_who_asked_for_a_loosened_gate(
    registry: Registry, story: Story
) -> None:
    edit = Edit(of="gate", field="confidence", change="0.95 -> 0.9", looser=True)
    before = EarlierTry(
        run_id="eval-1", at="2026-11-20", requested_by="ben", try_number=0, edits=(edit,)
    )
    said = TryCount(number=1, candidates=1, window_s=86400, confidence=0.95, earlier=(before,))
    verdict = with_tries(stored_verdict("model-2", None), said)
    assert verdict.outcome == "INCONCLUSIVE"
    story.judged("run-2", "model-2", verdict)
    for actor in ("automation", "ben"):  # who asked for this run, and for the one before
        registry.answer("run-2", "approve", actor=actor, reason="fine", binding=Binding.of(verdict))
        assert "INCONCLUSIVE" in refusal(registry, story, "run-2", "model-2")
    registry.answer("run-2", "approve", actor="cleo", reason="fine", binding=Binding.of(verdict))
    registry.switch(
        story.pointer("model-2", "run-2"),
        expected_generation=0,
        actor="automation",
        reason="approved",
        kind="first_release",
    )


def test_a_superseded_run_stays_so(registry: Registry) -> None:
    for run_id in ("run-1", "run-2"):
        started(registry, run_id)
        judged(registry, run_id, "model-2")
    registry.set_run_state("run-1", "waiting")
    assert registry.supersede("run-2") == ("run-1",)
    found = registry.run("run-1")
    assert found is not None
    assert (found.state, found.detail) == ("superseded", "superseded by run run-2")
    assert found.decided
    for state in ("waiting", "promoting", "refused"):
        with pytest.raises(RefusedError, match="superseded by run run-2"):
            registry.set_run_state("run-1", state)  # type: ignore[arg-type]
    with pytest.raises(RefusedError, match="answer that one"):
        registry.answer(
            "run-1",
            "approve",
            actor="ben",
            reason="fine",
            binding=Binding.of(stored_verdict("model-2", None, "INCONCLUSIVE")),
        )
    assert registry.verify() == ()


def test_what_a_run_was_judged_by_and_what_changed_since_is_kept(registry: Registry) -> None:
    facts = JudgedBy(policy_digest="sha256:a", fingerprints={"letters": "sha256:b"}, gate={"a": 1})
    for run_id in ("run-1", "run-2"):
        started(registry, run_id)
        registry.note_judged_by(run_id, facts)
        registry.note_judged_by(run_id, facts)
    assert registry.judged_by("run-1") == facts
    assert (registry.judged_before("run-1"), registry.judged_before("run-2")) == (None, "run-1")
    edit = Edit(of="suite", field="letters.cases", change="1 removed", looser=True)
    for _ in range(2):
        registry.note_edits("run-2", "run-1", (edit,))
    noted = registry.run("run-2")
    assert noted is not None
    assert (noted.since_run, noted.edits) == ("run-1", (edit,))
    (event,) = registry.history("triage")
    assert event.kind == "edited"
    assert event.reason == (
        "found by run run-2, changed since run run-1: suite letters.cases: 1 removed"
    )
    assert registry.verify() == ()


def test_a_family_that_grows_before_each_candidate_is_spent_all_the_same(
    registry: Registry,
) -> None:
    for place in range(1, 6):
        model, size = f"model-{place}", max(3, place)
        each = Family(candidates=size).each
        started(registry, f"run-{place}", model)
        facts = JudgedBy(policy_digest=f"sha256:{size}", fingerprints={}, confidence=each)
        registry.note_judged_by(f"run-{place}", facts)
        found = count(registry, f"run-{place}", confidence=each, allowed=size, together=0.95)
        assert (found.candidates, found.allowed) == (place, size)
        assert bool(why_no_pass(found)) == (place > 3)
        judged(registry, f"run-{place}", model, "PASS")
    assert found.spent == pytest.approx(3 * 0.05 / 3 + 0.05 / 4 + 0.05 / 5)


def test_runs_of_before_count_at_what_their_verdict_says_else_as_one_of_the_family(
    registry: Registry,
) -> None:
    said = TryCount(number=1, candidates=1, window_s=86400, confidence=0.98)
    started(registry, "run-1", "model-1")
    registry.save_verdict("run-1", stored_verdict("model-1", None, "FAIL", tries=said))
    started(registry, "run-2", "model-2")
    judged(registry, "run-2", "model-2")
    started(registry, "run-3", "model-3")
    found = count(registry, "run-3", confidence=0.99, allowed=5, together=0.95)
    assert found.spent == pytest.approx(0.02 + 0.01 + 0.01)
    assert why_no_pass(found) == ()
    assert count(registry, "run-3").spent is None
