"""One of several candidates, on the embedded platform: chosen on one part of the suite, judged on the other."""

from __future__ import annotations

import asyncio

import pytest
from support.topics import GATE, TARGET, write_target
from support.waiting import wait_until

from evals.errors import ConfigurationError
from evals.evaluation.sampling_plan import read_sampling_plan
from evals.stored_runs.run import judge, load_run
from flows.registry.opening import open_registry
from flows.reporting.gather import report_run
from flows.selection import field as opening
from flows.selection import rungs
from flows.selection.request import request_selection

pytestmark = pytest.mark.slow


def test_the_best_of_six_is_chosen_on_a_quarter_judged_on_the_rest_and_shown(field):
    field.promoted("live")
    selection = field.begin()
    run_id = field.chosen(selection)
    verdict = asyncio.run(field.judge(run_id))
    assert verdict.outcome == "PASS"
    assert field.live().model_id == field.model("c")
    split = field.split(selection)
    assert len(split) == 60
    assert not split & set(field.asked(field.settings.run_folder(run_id)))
    assert not split & set(field.asked(field.settings.run_folder(run_id), "baseline"))
    for folder in (field.settings.run_folder(selection) / "candidates").iterdir():
        assert set(field.asked(folder)) <= split
    assert field.run(run_id).trigger["selection"] == selection
    assert all(check.look.planned <= 180 for check in verdict.checks)
    assert field.slots() == []
    with open_registry(field.settings) as registry:
        assert registry.verify() == ()
    stored = load_run(field.settings.run_folder(run_id), field.project.datasets)
    assert len(stored.cases) == 180
    assert judge(field.project.gates / f"{TARGET}.yaml", stored).outcome == "PASS"
    facts = field.facts(selection)
    assert [len(rung.standings) for rung in facts.rungs] == [6, 3, 2]
    assert [len(rung.left) for rung in facts.rungs] == [3, 2, 1]
    assert [rung.cases for rung in facts.rungs] == [20, 26, 60]
    every_form_shows_the_field(field, selection, run_id)


def every_form_shows_the_field(field, selection, run_id):
    page = report_run(field.settings, run_id)
    for text in (page.read_text("utf-8"), page.with_name("report.md").read_text("utf-8")):
        assert "The field of 6 candidates" in text
        assert "c was chosen: the highest team.accuracy" in text
        assert "dropped after rung 1" in text
        assert "60 cases of the suite only choose and were never to be asked" in text
    assert '"chosen": 2' in page.with_name("report.json").read_text("utf-8")
    assert "The field of 6 candidates" in field.project.command("report", selection).out


def test_the_same_names_in_any_order_are_the_same_selection_and_nothing_is_asked_twice(field):
    field.promoted("live")
    selection = field.begin("abc")
    assert field.begin("cab") == selection
    assert field.chosen(selection) == field.chosen(field.begin("bca"))
    asked = field.questions()
    asyncio.run(field.choose(selection))
    assert field.questions() == asked
    assert field.begin("abc", again="once more") != selection


def test_killed_while_asking_or_between_two_rungs_it_goes_on_where_it_was(field):
    field.promoted("live")
    selection = field.begin("abcdef")
    folder = field.settings.run_folder(selection)
    with field.in_a_process(selection) as process:
        wait_until(lambda: (folder / "candidates" / "2").exists(), "that the second one is asked")
        process.kill()
    with field.in_a_process(selection) as process:
        wait_until(lambda: field.facts(selection).rungs, "that the first rung is judged")
        process.kill()
    split = field.split(selection)
    first = field.facts(selection).rungs[0]
    assert asyncio.run(field.choose(selection)) == 2
    assert field.facts(selection).rungs[0] == first
    assert field.split(selection) == split
    for candidate in (folder / "candidates").iterdir():
        asked = field.asked(candidate)
        assert len(asked) == len(set(asked))
    assert field.slots() == []


def test_a_case_that_chose_never_judges_in_a_suite_that_grew(field):
    field.promoted("live")
    first = field.begin("ab")
    asyncio.run(field.choose(first))
    chose = field.split(first)
    write_target(field.project, each=16)
    second = field.begin("cd")
    run_id = field.chosen(second)
    asyncio.run(field.judge(run_id))
    now = field.split(second)
    assert chose < now
    assert len(now) == 80
    left_out = read_sampling_plan(field.settings.run_folder(run_id)).left_out
    assert set(left_out[TARGET]) == now


def test_a_runner_up_of_a_winner_that_did_not_pass_needs_a_person(field):
    lenient = GATE | {"checks": [*GATE["checks"], {"metric": "refusal_rate", "at_most": 0.5}]}
    write_target(field.project, gate=lenient, promotion={"choose_by": "refusal_rate"})
    field.promoted("live")
    selection = field.begin("dc")  # equal by what ranks, so that the one named first is chosen
    verdict = asyncio.run(field.judge(field.chosen(selection)))
    assert verdict.outcome != "PASS"
    other = field.by_hand("c")
    held = asyncio.run(field.judge(other))
    assert held.outcome == "INCONCLUSIVE"
    assert f"a runner-up of selection {selection}, whose winner" in held.reasons[0]
    assert field.run(other).state == "waiting"
    assert not field.split(selection) & set(field.asked(field.settings.run_folder(other)))
    assert field.live().model_id == field.model("live")


def test_with_room_for_one_slot_candidates_are_asked_one_after_the_other(field):
    field.promoted("live")
    field.emulator.set(
        quota_limits={"OpenAI.DeveloperTier.gpt4.1-mini-finetune": 50}, quota_release_s=0.3
    )
    field.emulator.clock.advance(1)  # what the live one's slot held is back
    selection = field.begin("abc")
    run_id = field.chosen(selection)
    assert asyncio.run(field.judge(run_id)).outcome == "PASS"
    assert field.slots() == []


def test_a_field_in_which_all_clearly_fail_is_refused_and_nobody_judged(field):
    strict = GATE | {"checks": [{"metric": "team.accuracy", "at_least": 0.97, "max_drop": 0.1}]}
    field.project.write_gate(TARGET, strict | {"first_release": "needs_approval"})
    selection = field.begin(
        "df"
    )  # wrong on a third and more, which so few cases show whatever the order
    assert asyncio.run(field.choose(selection)) is None
    assert field.run(selection).state == "refused"
    assert rungs.request_judgement(field.settings, selection) is None
    assert all(one.failed for rung in field.facts(selection).rungs[:1] for one in rung.standings)


def test_candidates_that_can_t_take_part_are_all_named_before_anything_is_asked(field):
    field.promoted("live")
    before = field.questions()
    twice = [field.jobs["a"].id, field.model("a"), field.jobs["b"].id]
    for names, told in (
        (["ftjob-unknown", field.jobs["a"].id], "candidate ftjob-unknown"),
        (twice, "the same model as"),
        ([field.jobs["live"].id, field.jobs["a"].id], "is live already"),
    ):
        run, _ = request_selection(field.settings, TARGET, names, actor="ana")
        with pytest.raises(ConfigurationError, match=told):
            asyncio.run(opening.open_field(field.settings, run.run_id))
    assert field.questions() == before
    assert field.slots() == []
