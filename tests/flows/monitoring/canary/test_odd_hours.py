"""What happens around a look: Prefect out of reach, something else live, nothing allowed, several targets in one answer."""

from __future__ import annotations

import pytest
from support.letters import BASELINE, CANDIDATE
from support.project import adopt
from support.small_disk import small_disk

from evals.errors import GatewrightError
from flows.commands.canary import canary_renderable, worst_code
from flows.monitoring.canary.look import look_at
from flows.monitoring.canary.status import CanaryStatus
from flows.orchestration.prefect_api import PrefectApi
from flows.registry.canaries import CanaryLook


def other(model: str, text: str) -> str:
    return f"Hello {text[-12:]}"


def looked(outcome: str, **facts) -> CanaryStatus:
    look = CanaryLook(at="2026-11-28T12:00:00Z", outcome=outcome, said="x", **facts.pop("look", {}))
    return CanaryStatus(target="t", scheduled=True, last=look, **facts)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["changed", "unasked", "skipped", "alike"], 1),
        (["unasked", "skipped", "chosen"], 4),
        (["skipped", "alike"], 2),
        (["alike", "chosen"], 0),
        ([], 0),
    ],
)
def test_of_several_targets_the_worst_decides_the_exit_code(outcomes, code):
    assert worst_code([looked(one) for one in outcomes]) == code


def test_what_a_look_says_beside_its_outcome_is_a_sentence():
    text = str(canary_renderable(looked("alike", look={"latency": 1.0})))
    assert "answers take as long as when the cases were chosen" in text
    text = str(canary_renderable(looked("alike", look={"latency": 2.5})))
    assert "answers take 2.5 times as long as when the cases were chosen" in text
    since = "2026-11-28T11:00:00Z"
    text = str(canary_renderable(looked("unasked", unasked=1, unasked_since=since)))
    assert "the last look brought too few answers, since 2026-11-28 11:00 UTC" in text


async def test_a_prefect_server_that_nobody_answers_for_is_said_and_tried_again(canary):
    await canary.look()
    canary.host.say = other
    canary.clock.pass_(hours=1)
    async with PrefectApi("http://127.0.0.1:9/api", patience_s=0.0) as api:
        found = await look_at(canary.letters.settings, canary.registry, "letters", api)
    assert (found.last.outcome, found.change.flow_run) == ("changed", "")
    assert found.change.problem
    assert (await canary.look()).change.flow_run


async def test_no_regression_run_may_be_started_where_the_file_says_so(canary):
    canary.letters.change(
        canary.letters.target, "budget_calls", "budget_regressions: 0, budget_calls"
    )
    await canary.look()
    canary.host.say = other
    found = await canary.look()
    assert (found.last.outcome, canary.prefect.runs) == ("changed", {})
    assert "gatewright regress letters" in found.change.problem


async def test_after_going_back_cases_are_chosen_for_what_is_live_then(canary):
    await canary.look()
    url = canary.host.url
    for model in (CANDIDATE, BASELINE):
        adopt(canary.registry, "letters", model, base_url=url, platform="openai")
        found = await canary.look()
        assert (found.last.outcome, found.model_id, found.change) == ("chosen", model, None)


async def test_a_disk_that_takes_nothing_is_a_problem_and_no_change(canary):
    with small_disk(canary.letters.settings.home / "canary") as disk:
        await canary.look()
        disk.fill()
        with pytest.raises(GatewrightError, match="disk"):
            await canary.look()
        assert canary.registry.canary("letters").change is None
        disk.free()
        assert (await canary.look()).last.outcome == "alike"
