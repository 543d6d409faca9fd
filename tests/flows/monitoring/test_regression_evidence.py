"""The live model over many regression runs: the same answers add nothing, worse ones add up, and only an alarm acts."""

from __future__ import annotations

import json

import pytest

from flows.evaluation import steps
from flows.evaluation.open_run import open_run
from flows.evaluation.request import request_run, resolve
from flows.monitoring.regression_evidence import accumulated_evidence
from flows.monitoring.regression_outcome import alert_of, apply_outcome
from flows.platforms.base import TriggerRef
from flows.registry.opening import open_registry
from flows.reporting.gather import report_run

BASELINE = "ft:gpt-4.1-mini-2025-04-14:acme:old:Bb2"
CASES = 120


@pytest.fixture
def live(letters, host):
    """A live model whose letters are kind where the test says so; acted on is what all runs say together."""
    suite = letters.suite / "suite.yaml"
    prompt, _, _ = suite.read_text().partition("graders:")
    suite.write_text(prompt + "graders: [{name: tone, type: contains, text: kind}]\n")
    rows = ({"id": f"c{n}", "item": {"about": f"matter {n:03}"}} for n in range(CASES))
    (letters.suite / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    letters.change(letters.gate, "at_least: 0.5", "at_least: 0.8")
    target = letters.target.read_text().replace("judge: {model: gpt-4.1}\n", "")
    letters.target.write_text(f"{target}regression: {{on_fail: [alert, hold], act_on: evidence}}\n")
    letters.go_live()
    kind_in(host, 100)
    return letters


def kind_in(host, hundredths: int) -> None:
    """From now on so many of a hundred letters are kind, the same ones every time."""
    host.say = lambda _model, asked: (
        "a kind letter" if int(asked[-4:-1]) * 37 % 100 < hundredths else "a letter"
    )


async def week(letters, number: int) -> str:
    """One regression run, settled; returns its id."""
    ref = TriggerRef(model_id=BASELINE)
    run, _ = request_run(
        letters.settings, "letters", ref, kind="regression", actor="cron", again=str(number)
    )
    await resolve(letters.settings, run.run_id)
    await steps.ask_round(letters.settings, run.run_id, 1)
    steps.conclude(letters.settings, run.run_id)
    apply_outcome(letters.settings, run.run_id)
    return run.run_id


def watched(letters, run_id: str):
    with open_run(letters.settings, run_id) as run:
        return accumulated_evidence(run)


def hold(letters):
    with open_registry(letters.settings) as registry:
        return registry.held("letters")


@pytest.mark.slow
async def test_runs_that_hold_leave_little_evidence_however_many_there_are(live):
    runs = [await week(live, number) for number in range(4)]
    (found,) = watched(live, runs[-1]).together
    assert (found.check, found.runs) == ("tone at_least 0.8", 4)
    assert found.e < 0.1
    assert found.alarm_at == pytest.approx(20)
    page = report_run(live.settings, runs[-1])
    said = "evidence against the live model over 4 regression runs: tone at_least 0.8 e = "
    assert said in page.read_text()
    assert "alarm at 20 (no alarm)" in page.with_name("report.json").read_text()


@pytest.mark.slow
async def test_a_run_that_fails_by_a_little_acts_only_when_the_evidence_is_enough(live, host):
    await week(live, 1)
    kind_in(host, 68)  # below the bar beyond doubt of a single run, yet no alarm for ever
    run = await week(live, 2)
    with open_registry(live.settings) as registry:
        assert registry.verdict(run).outcome == "FAIL"
        assert "not enough for an alarm yet" in registry.run(run).detail
    assert hold(live) is None
    assert alert_of(live.settings, run) is None


@pytest.mark.slow
async def test_the_same_bad_answers_again_add_nothing_and_much_worse_ones_raise_the_alarm(
    live, host
):
    await week(live, 1)
    kind_in(host, 68)
    once = watched(live, await week(live, 2)).together[0]
    more = watched(live, await week(live, 3)).together[0]
    # The second look at the same answers weighs less than the first: one suite can't convict twice.
    own = watched(live, await week(live, 4)).own[0]
    assert once.log_e < more.log_e < own.log_e
    assert hold(live) is None
    kind_in(host, 40)
    run = await week(live, 5)
    assert watched(live, run).alarmed
    assert hold(live) is not None
    alert = alert_of(live.settings, run)
    assert alert is not None and alert.model_id == BASELINE
    assert "ALARM" in report_run(live.settings, run).with_name("report.md").read_text()


@pytest.mark.slow
async def test_another_suite_starts_anew(live, host):
    await week(live, 1)
    await week(live, 2)
    with (live.suite / "cases.jsonl").open("a") as cases:
        cases.write(json.dumps({"id": "new", "item": {"about": "matter 999"}}) + "\n")
    assert watched(live, await week(live, 3)).together[0].runs == 1


@pytest.mark.slow
async def test_a_lost_folder_only_lowers_the_evidence(live, host):
    kind_in(host, 68)
    first, second = await week(live, 1), await week(live, 2)
    before = watched(live, second).together[0].log_e
    (live.settings.run_folder(first) / "over_time.json").unlink()
    apply_outcome(live.settings, second)
    after = watched(live, second).together[0]
    assert (after.runs, after.log_e < before) == (2, True)


async def test_without_act_on_each_run_that_fails_acts_as_ever(live, host):
    live.change(live.target, ", act_on: evidence", "")
    kind_in(host, 68)
    run = await week(live, 1)
    assert hold(live) is not None
    assert alert_of(live.settings, run) is not None
