"""What a regression run comes to: the live model is held against its own answers of a fresh pass, and told steady, worse or changed."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from support.letters import ModelHost
from support.project import adopt
from support.succession import CASES, Succession, model

from flows.evaluation.kept.fresh_pass import pass_over, take_reference
from flows.monitoring.automatic_rollback import roll_back_failed
from flows.monitoring.regression_outcome import alert_of, apply_outcome
from flows.registry.opening import open_registry
from flows.registry.regression_outcomes import RegressionOutcome
from flows.regression import anew
from flows.reporting.finish import finish_run
from flows.reporting.gather import report_run

pytestmark = pytest.mark.slow


@pytest.fixture
async def line(tmp_path: Path, host: ModelHost) -> Succession:
    """v1 is live, wrong on twelve of its cases."""
    line = Succession(tmp_path, host)
    line.run = await line.promoted("v1", wrong=12)  # type: ignore[attr-defined]
    return line


async def week(line: Succession, number: int | str = 1, name: str = "v1") -> RegressionOutcome:
    """One regression run of what is live, settled; returns what is on record then."""
    run_id, _ = await line.regressed(name, again=str(number))
    apply_outcome(line.settings, run_id)
    await roll_back_failed(line.settings, run_id)
    with open_registry(line.settings) as registry:
        found = registry.regression_outcome(run_id)
    assert found is not None
    return found


def wrong_on(line: Succession, cases: range) -> None:
    """From now on every model is wrong on these cases and on no other."""
    line.host.say = lambda _model, text: (
        "no" if int(text.split("number ")[1].split()[0]) in cases else "yes"
    )


async def test_the_fresh_pass_asks_all_cases_anew_goes_on_after_a_kill_and_is_made_once(
    line: Succession,
) -> None:
    before = line.host.asked[model("v1")]
    making = asyncio.create_task(pass_over(line.settings, line.run))  # type: ignore[attr-defined]
    while line.host.asked[model("v1")] < before + 100:
        await asyncio.sleep(0.001)
    making.cancel()
    with suppress(asyncio.CancelledError):
        await making
    await finish_run(line.settings, line.run)  # type: ignore[attr-defined]
    assert CASES <= line.host.asked[model("v1")] - before < CASES + 50
    assert await pass_over(line.settings, line.run) is None  # type: ignore[attr-defined]
    assert (await week(line)).compared_with == "reference"


async def test_without_a_fresh_pass_the_winning_answers_stand_in_and_the_run_says_so(
    line: Succession,
) -> None:
    line.change(
        line.targets / "line.yaml", "suites:", "regression: {reference_budget_usd: 0}\nsuites:"
    )
    made = await pass_over(line.settings, line.run)  # type: ignore[attr-defined]
    assert made is not None and "reference_budget_usd" in made.why
    found = await week(line)
    assert (found.outcome, found.compared_with) == ("steady", "promotion")
    page = report_run(line.settings, found.run_id).with_name("report.md").read_text()
    assert "STEADY" in page and "v1 is as it was: all 2 deciding checks hold" in page
    assert "the answers that won its promotion, often better than usual by luck" in page


async def test_a_model_that_is_as_it_was_is_steady_though_it_never_answers_quite_alike(
    line: Succession,
) -> None:
    dice = random.Random(7)

    def flaky(_model: str, text: str) -> str:
        number = int(text.split("number ")[1].split()[0])
        return "no" if number < 30 and dice.random() < 0.4 else "yes"

    line.host.say = flaky
    await take_reference(line.settings, "line", actor="ada")
    words = [(await week(line, number)).outcome for number in range(3)]
    assert words == ["steady"] * 3
    with open_registry(line.settings) as registry:
        last = registry.last_regression_outcome("line")
        assert last is not None and last.outcome == "steady"


async def test_a_model_that_is_wrong_elsewhere_and_no_worse_is_changed_and_told_of_once(
    line: Succession,
) -> None:
    await take_reference(line.settings, "line", actor="ada")
    wrong_on(line, range(100, 112))
    first = await week(line, 1)
    assert first.outcome == "changed"
    assert "in 24 of 24 telling cases today's answer differs from both" in first.changes[0]
    page = (
        report_run(line.settings, first.run_id).with_name("report.md").read_text().replace("\\", "")
    )
    assert (
        "CHANGED" in page
        and "v1 changed, but is not worse by exact max_drop 0.04: the answers changed" in page
    )
    alert = alert_of(line.settings, first.run_id)
    assert alert is not None and alert.outcome == "changed"
    again = await week(line, 2)
    assert again.outcome == "changed"
    assert alert_of(line.settings, again.run_id) is None
    await take_reference(line.settings, "line", actor="ada")  # a person takes it as the reference
    assert (await week(line, 3)).outcome == "steady"


async def test_a_model_that_fell_is_worse_and_a_warm_one_that_has_not_failed_takes_its_place_once(
    line: Succession,
) -> None:
    line.change(
        line.targets / "line.yaml", "suites:", "regression: {on_fail: [alert, rollback]}\nsuites:"
    )
    await line.promoted("v2", wrong=10)
    await take_reference(line.settings, "line", actor="ada")
    line.wrong[model("v2")] = 80
    found = await week(line, 1, "v2")
    assert (found.outcome, found.rollback_problem) == ("worse", "")
    assert found.rolled_back_to == model("v1")
    with open_registry(line.settings) as registry:
        live = registry.live("line")
        assert live is not None and (live.model_id, live.generation) == (model("v1"), 3)
        assert registry.held("line") is not None
        event = registry.event_of("line", 3)
        assert event is not None and (event.kind, event.actor) == ("rollback", "gatewright")
        said = registry.run(found.run_id)
        assert said is not None and said.detail.endswith("rolled back to v1")
    page = report_run(line.settings, found.run_id).with_name("report.md").read_text()
    assert (
        "v2 is worse than its gate allows" in page
        and "Gatewright rolled back to v1 automatically" in page
    )
    apply_outcome(line.settings, found.run_id)
    assert await roll_back_failed(line.settings, found.run_id) is None
    alert = alert_of(line.settings, found.run_id)
    assert alert is not None and alert.rolled_back_to == model("v1")
    line.wrong[model("v1")] = 80  # and what was gone back to fails, too: there is no way to v2
    after = await week(line, 2, "v1")
    assert after.outcome == "worse"
    assert "v2: it failed its own regression run" in after.rollback_problem
    with open_registry(line.settings) as registry:
        live = registry.live("line")
        assert live is not None and live.generation == 3


async def test_a_persons_hold_keeps_a_model_from_being_rolled_back_by_itself(
    line: Succession,
) -> None:
    line.change(line.targets / "line.yaml", "suites:", "regression: {on_fail: [rollback]}\nsuites:")
    await line.promoted("v2", wrong=10)
    with open_registry(line.settings) as registry:
        registry.hold("line", actor="ana", reason="I am looking into it")
    line.wrong[model("v2")] = 80
    found = await week(line, 1, "v2")
    assert (found.outcome, found.rolled_back_to) == ("worse", "")
    assert "ana holds the target" in found.rollback_problem


async def test_a_model_that_was_adopted_can_be_told_worse_only_once_its_answers_were_taken(
    tmp_path: Path, host: ModelHost
) -> None:
    line = Succession(tmp_path, host)
    host.known.add(model("v1"))
    with open_registry(line.settings) as registry:
        adopt(registry, "line", model("v1"), base_url=host.url, platform="openai")
    unknown = await week(line, 1)
    assert (unknown.outcome, unknown.compared_with) == ("cannot_tell", "")
    assert "gatewright reference line" in unknown.why
    await take_reference(line.settings, "line", actor="ada")
    assert (await week(line, 2)).outcome == "steady"
    line.wrong[model("v1")] = 80
    assert (await week(line, 3)).outcome == "worse"


def without_kept(line: Succession) -> None:
    shutil.rmtree(line.settings.home / "kept")


def with_torn(line: Succession) -> None:
    for path in (line.settings.home / "kept").rglob("*.zst"):
        path.write_bytes(path.read_bytes()[:-20])


def asked_otherwise(line: Succession) -> None:
    line.change(line.targets / "line.yaml", "temperature: 0,", "temperature: 0.3,")


def with_other_cases(line: Succession) -> None:
    line.write_cases(changed=CASES)


@pytest.mark.parametrize("margin", [True, False], ids=["margin", "no margin"])
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (without_kept, "are missing"),
        (with_torn, "are damaged"),
        (asked_otherwise, "temperature 0 then, 0.3 now"),
        (with_other_cases, "the same as when"),
    ],
)
async def test_a_model_that_fell_is_never_steady_where_its_recorded_answers_cannot_be_compared(
    line: Succession, harm: Callable[[Succession], None], said: str, margin: bool
) -> None:
    await take_reference(line.settings, "line", actor="ada")
    line.wrong[model("v1")] = 80
    if not margin:
        line.set_gate(checks=[{"metric": "exact", "at_least": 0.5}])
        said = "none of its cases" if harm is with_other_cases else said
    harm(line)
    found = await week(line)
    assert found.outcome == "cannot_tell"
    assert said in found.why
    assert found.remedy.endswith("gatewright reference line") and found.why.endswith(found.remedy)
    page = report_run(line.settings, found.run_id).with_name("report.md").read_text()
    assert "CAN'T TELL" in page and "take a new reference: gatewright reference line" in page


async def test_an_outcome_says_by_which_margins_it_is_not_worse_and_that_the_gate_was_loosened(
    line: Succession,
) -> None:
    await take_reference(line.settings, "line", actor="ada")
    line.wrong[model("v1")] = 40
    assert (await week(line, 1)).outcome == "worse"
    line.set_gate(checks=[{"metric": "exact", "at_least": 0.5, "max_drop": 0.9}])
    for number in (2, 3):  # as long as it is looser than it was for the promotion
        found = await week(line, number)
        assert (found.outcome, found.margins) == ("changed", ("exact max_drop 0.9",))
        assert "not worse by exact max_drop 0.9" in found.why
        assert (
            f"the gate is looser than in run {line.run}: checks[0].max_drop 0.04 -> 0.9"
            in found.why
        )  # type: ignore[attr-defined]
    page = report_run(line.settings, found.run_id).with_name("report.md").read_text()
    assert "The gate is looser than in run" in page
    assert "| Today | Reference |" in page and "fresh pass over the production deployment" in page
    assert "Reference, score 1.00" in page and "nothing was live" not in page
    assert "at least 0.50 | 0.867 | – |" in page  # of these cases the reference has no figure


async def test_a_check_of_the_production_deployment_is_judged_since_that_is_what_was_asked(
    line: Succession,
) -> None:
    slow = {"metric": "latency_p95_ms", "at_most": 100_000, "measure_on": "production"}
    line.set_gate(checks=[{"metric": "exact", "at_least": 0.5}, slow])
    _, verdict = await line.regressed("v1")
    assert [(one.decides, one.outcome) for one in verdict.checks] == [(True, "PASS")] * 2


async def test_two_regression_runs_at_once_both_come_to_an_outcome(line: Succession) -> None:
    await take_reference(line.settings, "line", actor="ada")
    line.wrong[model("v1")] = 80
    found = await asyncio.gather(*(week(line, name) for name in (anew(), anew())))
    assert [one.outcome for one in found] == ["worse", "worse"]
    assert found[0].run_id != found[1].run_id
