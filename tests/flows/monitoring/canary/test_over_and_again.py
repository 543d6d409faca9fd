"""What a canary makes of a change that is over, that comes back, or that could not be confirmed; and what bounds it all."""

from __future__ import annotations

import pytest
from support.letters import BASELINE
from support.verdicts import stored_verdict

from evals.records import Response
from evals.sampling.journal.entries import Entry, encode_entry
from evals.sampling.journal.journal import Journal
from flows.config.target import load_target
from flows.monitoring.canary.marks import QUIET_AFTER
from flows.monitoring.canary.status import canary_status
from flows.registry.records import RunRecord
from flows.registry.regression_outcomes import RegressionOutcome


def dear(model: str, text: str) -> str:
    return f"Dear {text[-12:]}"


def other(model: str, text: str) -> str:
    return f"Hello {text[-12:]}"


async def regression(canary, outcome: str, run_id: str = "r1", says=None) -> None:
    """A regression run of the live model that began five minutes after the look; `says` is how it was answered."""
    from flows.evaluation.open_run import load_plan

    canary.clock.pass_(minutes=5)
    settings = canary.letters.settings
    plan = load_plan(settings, "letters")
    canary.registry.start_run(
        RunRecord(
            run_id=run_id,
            target="letters",
            kind="regression",
            requested_by="canary",
            candidate_model=BASELINE,
            fingerprints=plan.fingerprints,
        )
    )
    verdict = {"worse": "FAIL", "cannot_tell": "INCONCLUSIVE"}.get(outcome, "PASS")
    canary.registry.save_verdict(run_id, stored_verdict(BASELINE, None, verdict))
    canary.registry.set_run_state(run_id, "judged")
    found = {"outcome": outcome, "run_id": run_id, "target": "letters", "model_id": BASELINE}
    canary.registry.save_regression_outcome(RegressionOutcome(**found, why="as a test says"))
    if says is not None:
        suite = plan.suites[0].suite
        with Journal.open(settings.run_folder(run_id) / "journal") as journal:
            for case in suite.cases:
                text = says("", str(case.messages[-1].content))
                answer = Response(case_id=case.id, model_id=BASELINE, outcome="answered", text=text)
                line = encode_entry(Entry(at=0.0, response=answer))
                await journal.put("candidate", suite.name, line)


async def test_cases_stay_when_marks_alone_changed_so_that_what_changes_next_is_found(canary):
    canary.host.fingerprint = "fp_1"
    await canary.look()
    canary.host.fingerprint = "fp_2"
    assert (await canary.look()).last.outcome == "changed"
    await regression(canary, "steady")
    canary.host.say = other  # it degrades between the change's end and the next look
    before = canary.host.asked[BASELINE]
    found = await canary.look()
    assert (found.last.outcome, found.last.differing) == ("changed", 20)
    assert canary.host.asked[BASELINE] == before + 60  # nothing was chosen anew
    assert canary.kinds()[-2:] == ["canary_over", "canary_changed"]


async def test_a_regression_run_asked_for_by_hand_is_seen_before_the_next_look(canary):
    await canary.look()
    canary.host.say = other
    found = await canary.look(known=False)
    assert found.change.regressed == ""
    await regression(canary, "worse", "by-hand")
    target = load_target(canary.letters.settings.targets, "letters")
    change = canary_status(canary.registry, target).change
    assert (change.run_id, change.regressed) == ("by-hand", "worse")


async def test_after_a_change_of_answers_cases_are_held_against_those_of_the_run_that_settled_it(
    canary,
):
    await canary.look()
    canary.host.say = other
    await canary.look()
    await regression(canary, "steady", says=other)
    found = await canary.look()
    assert (found.last.outcome, found.own_answers, found.change) == ("chosen", False, None)
    assert "because the change of 2026-11-20" in found.last.said
    assert "is over (regression run r1: steady)" in found.last.said
    assert "compared with the answers of regression run r1" in found.last.said
    assert (await canary.look()).last.outcome == "alike"


async def test_a_model_that_changes_once_more_before_the_next_look_is_found_by_those_answers(
    canary,
):
    await canary.look()
    canary.host.say = other
    await canary.look()
    await regression(canary, "steady", says=other)
    canary.host.say = lambda _model, text: f"Bye {text[-12:]}"
    found = await canary.look()
    assert found.last.outcome == "changed"
    assert "answered otherwise than in regression run r1" in found.last.said
    assert found.change.flow_run


async def test_answers_that_vary_as_they_did_not_before_are_a_change(canary):
    await canary.look()
    canary.host.say = other
    await canary.look()
    await regression(canary, "steady", says=other)

    def restless(model: str, text: str) -> str:
        varies = sum(map(ord, text)) % 2
        return f"{len(canary.host.bodies)}" if varies else other(model, text)

    canary.host.say = restless
    found = await canary.look()
    assert found.last.outcome == "changed"
    assert "not answered alike each time, many more than before" in found.last.said
    await regression(canary, "steady", "r2", says=other)
    assert (await canary.look()).last.outcome == "chosen"  # that is how it is, and no worse


async def test_without_the_answers_of_that_run_its_own_are_taken_and_that_is_said(canary):
    await canary.look()
    canary.host.say = other
    await canary.look()
    await regression(canary, "steady")
    found = await canary.look()
    assert (found.last.outcome, found.own_answers) == ("chosen", True)
    assert "today's answers alone" in found.last.said


async def test_fingerprints_that_rotate_trigger_a_few_times_and_then_no_more(canary):
    canary.host.fingerprint = "fp_0"
    await canary.look()
    for hour in range(1, 9):
        canary.host.fingerprint = f"fp_{hour}"
        found = await canary.look()
        if found.change is not None:
            await regression(canary, "steady", f"r{hour}")
    assert len(canary.prefect.runs) == QUIET_AFTER
    assert found.quiet_marks == ("system fingerprint",)
    assert found.last.outcome == "alike"
    canary.host.say = other  # answers still trigger
    assert (await canary.look()).last.outcome == "changed"


async def test_a_fingerprint_for_each_answer_triggers_nothing_and_is_not_kept(canary):
    def say(model: str, text: str) -> str:
        canary.host.fingerprint = f"fp_{len(canary.host.bodies)}"
        return dear(model, text)

    canary.host.say = say
    await canary.look()
    found = await canary.look()
    assert (found.last.outcome, canary.prefect.runs) == ("alike", {})
    assert canary.registry.canary("letters").marks == ()


async def test_a_change_that_comes_and_goes_starts_so_many_runs_a_month(canary):
    canary.letters.change(
        canary.letters.target, "budget_calls", "budget_regressions: 2, budget_calls"
    )
    await canary.look()
    for hour in range(3):
        canary.host.say = other
        found = await canary.look()
        if found.change.flow_run:
            await regression(canary, "cannot_tell", f"r{hour}")
            canary.host.say = dear
            assert (await canary.look()).last.outcome == "alike"
    assert (len(canary.prefect.runs), found.starts) == (2, 2)
    assert "2 regression runs in 2026-11 (budget_regressions)" in found.change.problem
    found = await canary.look(hours=24 * 14)  # another month
    assert (len(canary.prefect.runs), found.starts, found.change.problem) == (3, 1, "")


async def test_what_could_not_be_confirmed_is_no_answer_as_before(canary):
    await canary.look()
    asked = set()

    def once(model: str, text: str) -> str:
        if text in asked:
            raise ConnectionError("the service answers 500")
        asked.add(text)
        return other(model, text)

    canary.host.say = once
    found = await canary.look()
    assert (found.last.outcome, found.last.unconfirmed, found.unasked) == ("unasked", 20, 1)
    assert "could not be confirmed for 20: the next look asks again" in found.last.said
    canary.host.say = other
    assert (await canary.look()).last.outcome == "changed"


async def test_a_look_ends_where_the_month_does(canary):
    used = (await canary.look()).calls
    canary.letters.change(canary.letters.target, "budget_calls: 5000", f"budget_calls: {used + 25}")
    canary.host.say = other
    found = await canary.look()
    assert (found.calls, found.last.outcome) == (used + 25, "skipped")
    assert "20 of 20 cases were answered otherwise, which could not be confirmed" in found.last.said


@pytest.mark.parametrize("outcome", ["cannot_tell", "worse"])
async def test_answers_that_change_after_marks_did_are_another_change(canary, outcome):
    canary.host.fingerprint = "fp_1"
    await canary.look()
    canary.host.fingerprint = "fp_2"
    await canary.look()
    await regression(canary, outcome)
    canary.host.say = other
    found = await canary.look()
    assert found.change.answers
    assert len(canary.prefect.runs) == 2
