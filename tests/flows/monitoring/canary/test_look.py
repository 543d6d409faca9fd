"""What is live is asked a few cases every hour: alike, changed, lost, or more than the month allows."""

from __future__ import annotations

import asyncio

import pytest
from support.letters import BASELINE

from evals.errors import ConfigurationError
from flows.config.target import load_target
from flows.monitoring.canary.look import look_at
from flows.monitoring.canary.status import canary_status


def other(model: str, text: str) -> str:
    return f"Hello {text[-12:]}"


async def test_cases_are_chosen_once_and_answered_alike_from_then_on(canary):
    first = await canary.look()
    assert (first.last.outcome, first.cases, first.own_answers) == ("chosen", 20, True)
    asked = canary.host.asked[BASELINE]
    second = await canary.look()
    assert (second.last.outcome, second.last.differing) == ("alike", 0)
    assert canary.host.asked[BASELINE] == asked + 20
    assert (second.chosen_at, second.looks) == (first.chosen_at, 2)
    assert canary.kinds() == ["canary_chosen"]
    assert canary.prefect.keys == []


async def test_another_model_behind_the_name_is_found_at_the_first_look_and_starts_one_regression(
    canary,
):
    await canary.look()
    canary.host.say = other
    found = await canary.look()
    assert (found.last.outcome, found.last.differing) == ("changed", 20)
    (flow_run,) = canary.prefect.runs.values()
    assert flow_run["parameters"] == {"target": "letters", "requested_by": "canary"}
    assert found.change.flow_run == flow_run["id"]
    again = await canary.look()
    assert again.last.outcome == "changed"
    assert len(canary.prefect.runs) == 1
    assert canary.kinds() == ["canary_chosen", "canary_changed"]


async def test_a_few_answers_that_differ_by_chance_are_no_change(canary):
    await canary.look()
    asked = []

    def now_and_then(model: str, text: str) -> str:
        asked.append(text)
        return other(model, text) if len(asked) in (3, 7, 11, 12) else f"Dear {text[-12:]}"

    canary.host.say = now_and_then
    found = await canary.look()
    assert (found.last.outcome, found.last.differing) == ("alike", 0)
    assert found.last.calls == 24  # four answered otherwise once, and as before when asked again


async def test_case_spacing_and_the_order_of_json_are_no_change(canary):
    canary.host.say = lambda _model, text: f'{{"a": 1, "to": "{text[-12:]}"}}'
    await canary.look()
    canary.host.say = lambda _model, text: f'{{"to":"{text[-12:]}",\n "a":1}}'
    assert (await canary.look()).last.outcome == "alike"


async def test_cases_that_are_never_answered_alike_are_not_chosen(canary):
    times = {}

    def restless(model: str, text: str) -> str:
        times[text] = times.get(text, 0) + 1
        return f"{times[text]}" if hash(text) % 2 else f"Dear {text[-12:]}"

    canary.host.say = restless
    found = await canary.look()
    assert 0 < found.cases <= 20
    assert "passed over" in found.last.said
    canary.host.say = lambda _model, _text: str(len(canary.host.bodies))
    await canary.look(anew=True, actor="ana")
    none = await canary.look()
    assert none.cases == 0
    assert none.last.outcome == "skipped"  # and is not looked for again every hour


async def test_a_new_fingerprint_triggers_once(canary):
    canary.host.fingerprint = "fp_1"
    await canary.look()
    canary.host.fingerprint = "fp_2"
    found = await canary.look()
    assert found.last.outcome == "changed"
    assert "system fingerprint fp_2 was not seen before" in found.change.said
    regression(canary, "steady")
    settled = await canary.look()
    assert (settled.last.outcome, settled.change) == ("alike", None)
    for fingerprint in ("fp_1", "fp_2", "fp_1"):
        canary.host.fingerprint = fingerprint
        assert (await canary.look()).last.outcome == "alike"
    assert len(canary.prefect.runs) == 1


def regression(canary, word: str, run_id: str = "letters-r1", *, settled: bool = True) -> None:
    """A regression run of the live model that is over."""
    from support.verdicts import stored_verdict

    from flows.registry.records import RunRecord
    from flows.registry.regression_outcomes import RegressionOutcome

    canary.registry.start_run(
        RunRecord(
            run_id=run_id,
            target="letters",
            kind="regression",
            requested_by="canary",
            candidate_model=BASELINE,
        )
    )
    verdict = {"worse": "FAIL", "cannot_tell": "INCONCLUSIVE"}.get(word, "PASS")
    canary.registry.save_verdict(run_id, stored_verdict(BASELINE, None, verdict))
    canary.registry.set_run_state(run_id, "judged")
    if settled:
        found = {"outcome": word, "run_id": run_id, "target": "letters", "model_id": BASELINE}
        canary.registry.save_regression_outcome(RegressionOutcome(**found, why="as a test says"))


async def test_after_a_regression_that_was_steady_the_answers_of_now_are_the_measure(canary):
    await canary.look()
    canary.host.say = other
    await canary.look()
    canary.clock.pass_(minutes=5)
    regression(canary, "steady")
    found = await canary.look()
    assert (found.last.outcome, found.change, found.own_answers) == ("chosen", None, True)
    assert canary.kinds() == ["canary_chosen", "canary_changed", "canary_over", "canary_chosen"]
    assert (await canary.look()).last.outcome == "alike"


@pytest.mark.parametrize("outcome", ["worse", "cannot_tell"])
async def test_nothing_is_learnt_from_a_model_that_may_be_worse(canary, outcome):
    await canary.look()
    canary.host.say = other
    await canary.look()
    canary.clock.pass_(minutes=5)
    regression(canary, outcome)
    for _ in range(2):
        found = await canary.look()
        assert found.last.outcome == "changed"
        assert found.change.run_id == "letters-r1"
    assert len(canary.prefect.runs) == 1
    canary.host.say = lambda _model, text: f"Dear {text[-12:]}"
    back = await canary.look()
    assert (back.last.outcome, back.change) == ("alike", None)
    assert canary.kinds()[-1] == "canary_over"


async def test_a_regression_that_found_a_change_is_on_record_as_changed(canary):
    await canary.look()
    canary.host.say = other
    await canary.look()
    canary.clock.pass_(minutes=5)
    regression(canary, "changed")
    assert (await canary.look()).last.outcome == "chosen"
    over = canary.registry.history("letters", 10)
    assert any("changed" in str(event) for event in over if event.kind == "canary_over")


async def test_a_verdict_without_an_outcome_ends_no_change(canary):
    await canary.look()
    canary.host.say = other
    await canary.look()
    canary.clock.pass_(minutes=5)
    regression(canary, "steady", settled=False)
    found = await canary.look()
    assert (found.last.outcome, found.change.regressed) == ("changed", "")


async def test_without_prefect_the_next_look_starts_the_regression(canary):
    await canary.look()
    canary.host.say = other
    found = await canary.look(known=False)
    assert "PREFECT_API_URL" in found.change.problem
    canary.prefect.down = True
    assert "503" in (await canary.look()).change.problem
    canary.prefect.down = False
    done = await canary.look()
    assert done.change.problem == ""
    assert len(canary.prefect.runs) == 1


async def test_a_flow_run_that_ended_without_a_run_is_started_again_a_few_times(canary):
    await canary.look()
    canary.host.say = other
    await canary.look()
    for _ in range(6):
        canary.prefect.end(canary.prefect.keys[-1], "CRASHED")
        found = await canary.look()
    assert len(canary.prefect.runs) == 5
    assert "a person has to look" in found.change.problem


async def test_lost_answers_are_no_change_and_are_said(canary):
    await canary.look()
    canary.host.lost = True
    first = await canary.look()
    second = await canary.look()
    assert (first.last.outcome, second.last.outcome) == ("unasked", "unasked")
    assert (second.unasked, second.unasked_since) == (2, first.unasked_since)
    assert second.change is None
    canary.host.lost = False
    found = await canary.look()
    assert (found.last.outcome, found.unasked, found.unasked_since) == ("alike", 0, "")


async def test_an_endpoint_that_is_down_is_no_change(canary):
    await canary.look()
    canary.host.known.clear()
    canary.host.lost = True
    assert (await canary.look()).last.outcome == "unasked"


async def test_what_the_month_allows_is_kept_and_what_it_cost_is_told(canary):
    canary.letters.change(canary.letters.target, "budget_calls: 5000", "budget_calls: 290")
    first = await canary.look()
    assert (first.calls, first.budget_calls) == (240, 290)
    second = await canary.look()
    assert second.last.outcome == "alike"
    third = await canary.look()
    assert (third.last.outcome, third.calls) == ("alike", 280)
    fourth = await canary.look()
    assert fourth.last.outcome == "skipped"
    assert "290 calls for 2026-11" in fourth.last.said
    assert fourth.calls == 280
    later = await canary.look(hours=24 * 31)
    assert (later.last.outcome, later.calls, later.month) == ("alike", 20, "2026-12")


async def test_a_ceiling_in_usd_holds_and_what_is_spent_is_told(canary):
    first = await canary.look()
    each = first.spent_usd / first.calls
    assert each > 0
    canary.letters.change(
        canary.letters.target, "budget_calls: 5000", f"budget_usd: {first.spent_usd + 5 * each:f}"
    )
    found = await canary.look()
    assert found.last.outcome == "skipped"
    assert found.spent_usd <= found.budget_usd
    assert found.change is None


async def test_calls_are_counted_where_no_price_is_known(canary, monkeypatch):
    from flows.platforms.openai import OpenAIPlatform

    monkeypatch.setattr(OpenAIPlatform, "price", lambda *_: None)
    canary.letters.change(canary.letters.target, "budget_calls", "budget_usd: 0.001, budget_calls")
    found = await canary.look()
    assert (found.last.outcome, found.last.cost_usd) == ("chosen", None)
    assert (found.unpriced_calls, found.spent_usd) == (found.calls, 0.0)


async def test_what_goes_live_next_gets_cases_of_its_own_and_the_month_goes_on(canary):
    from support.letters import CANDIDATE
    from support.project import adopt

    first = await canary.look()
    canary.host.say = other
    assert (await canary.look()).changed
    url = canary.host.url
    adopt(canary.registry, "letters", CANDIDATE, base_url=url, platform="openai")
    target = load_target(canary.letters.settings.targets, "letters")
    before = canary_status(canary.registry, target)
    assert (before.last, before.changed, before.calls) == (None, False, first.calls + 60)
    found = await canary.look()
    assert (found.last.outcome, found.model_id, found.change) == ("chosen", CANDIDATE, None)
    assert found.calls > first.calls


async def test_a_suite_that_was_edited_has_its_cases_chosen_anew(canary):
    await canary.look()
    canary.letters.change(canary.letters.suite / "suite.yaml", "polite letter", "short letter")
    found = await canary.look()
    assert (found.last.outcome, found.change) == ("chosen", None)


async def test_two_at_once_look_once(canary):
    await canary.look()
    asked = canary.host.asked[BASELINE]
    arguments = (canary.letters.settings, canary.registry, "letters", None)
    began = canary.registry.now

    def moving() -> str:
        canary.clock.pass_(seconds=1)
        return began()

    canary.registry.now = moving
    found = await asyncio.gather(*(look_at(*arguments) for _ in range(3)))
    assert {one.looks for one in found} == {2}
    assert canary.host.asked[BASELINE] == asked + 20


async def test_what_a_killed_look_spent_counts(canary):
    await canary.look()
    before = canary.host.asked[BASELINE]
    task = asyncio.ensure_future(canary.look())
    while canary.host.asked[BASELINE] < before + 20:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    found = await canary.look()
    assert found.last.outcome == "alike"
    assert 240 + 20 < found.calls <= 240 + 40


async def test_nothing_live_is_said(letters, prefect):
    from flows.registry.opening import open_registry

    nothing = pytest.raises(ConfigurationError, match="nothing is live")
    with open_registry(letters.settings) as registry, nothing:
        await look_at(letters.settings, registry, "letters", None)


async def test_an_edit_of_how_it_is_asked_is_no_change_of_the_model(canary):
    await canary.look()
    canary.host.say = other  # as a model does that is asked in another way
    target = canary.letters.target
    canary.letters.change(target, "max_completion_tokens: 20", "max_completion_tokens: 30")
    found = await canary.look()
    assert (found.last.outcome, found.change) == ("chosen", None)
    canary.letters.change(target, "cases: 20", "cases: 10")
    fewer = await canary.look()
    assert (fewer.last.outcome, fewer.cases) == ("chosen", 10)


async def test_while_a_change_is_open_an_edit_teaches_nothing(canary):
    await canary.look()
    canary.host.say = other
    await canary.look()
    canary.letters.change(canary.letters.suite / "suite.yaml", "polite letter", "short letter")
    found = await canary.look()
    assert found.last.outcome == "changed"
    assert found.change is not None


async def test_while_a_promotion_changes_what_answers_nothing_is_asked(canary):
    from flows.registry.records import RunRecord

    await canary.look()
    run = RunRecord(run_id="p1", target="letters", kind="promotion", requested_by="ana")
    canary.clock.pass_(minutes=50)
    canary.registry.start_run(run)
    canary.registry.set_run_state("p1", "promoting")
    canary.host.say = other
    found = await canary.look(hours=0.1)
    assert (found.last.outcome, found.last.calls) == ("skipped", 0)
    assert "promotion" in found.last.said


async def test_no_regression_is_started_while_one_is_under_way(canary):
    from flows.registry.records import RunRecord

    await canary.look()
    run = RunRecord(run_id="monday", target="letters", kind="regression", requested_by="cron")
    canary.registry.start_run(run)
    holder = "elsewhere"
    canary.registry.take_lease("monday", "letters", holder, dead=frozenset(), alone=False)
    canary.host.say = other
    found = await canary.look()
    assert "regression run monday began before" in found.change.problem
    assert canary.prefect.runs == {}
    canary.registry.set_run_state("monday", "failed")
    canary.registry.leave_lease("monday", holder, finished=True)
    assert (await canary.look()).change.problem == ""
    assert len(canary.prefect.runs) == 1


async def test_the_cases_of_sealed_suites_are_left_to_those_who_judge(canary):
    letters = canary.letters
    again = letters.write_suite(
        "open", letters.suite.joinpath("suite.yaml").read_text().replace("name: letters", "name: open"),
        [{"id": f"o{number}", "item": {"about": f"matter {number:03}, please do"}} for number in range(30)],
    )  # fmt: skip
    assert again
    letters.change(letters.suite / "suite.yaml", "version: 1", "version: 1\nsealed: true")
    letters.change(letters.target, "suites: [letters]", "suites: [letters, open]")
    letters.change(letters.gate, "{metric: tone,", "{metric: tone, suite: open,")
    await canary.look()
    state = canary.registry.canary("letters")
    assert {one.suite for one in state.cases} == {"open"}
    letters.change(letters.target, "suites: [letters, open]", "suites: [letters]")
    letters.change(letters.gate, "suite: open, ", "")
    only = await canary.look()
    assert only.cases > 0
    assert "c1" not in only.last.said
