"""How a target has its models asked: by which API, and with which system prompt."""

from __future__ import annotations

import pytest

from evals.errors import PlatformError
from flows import evaluating

CANDIDATE = "ft:gpt-4.1-mini-2025-04-14:acme:new:Aa1"
BASELINE = "ft:gpt-4.1-mini-2025-04-14:acme:old:Bb2"


@pytest.fixture
def plain(letters):
    """Without a judge."""
    suite = letters.suite / "suite.yaml"
    prompt, _, _ = suite.read_text().partition("graders:")
    suite.write_text(prompt + "graders: [{name: tone, type: contains, text: letter}]\n")
    letters.go_live()
    return letters


async def run(letters):
    found = letters.request()
    await letters.prepare(found)
    return await letters.judge(found)


async def test_a_target_may_speak_the_responses_api(plain, world):
    plain.change(plain.target, "sampling: {", "sampling: {api: responses, ")
    assert (await run(plain)).outcome == "PASS"
    assert world.asked == {CANDIDATE: 40, BASELINE: 40}
    assert all("input" in body and "messages" not in body for body in world.bodies)


async def test_candidate_and_baseline_may_have_system_prompts_of_their_own(plain, world):
    plain.change(plain.target, "sampling: {", "sampling: {candidate: {system_prompt: Short.}, ")
    await run(plain)
    roles = {
        model: {
            tuple(m["role"] for m in body["messages"])
            for body in world.bodies
            if body["model"] == model
        }
        for model in (CANDIDATE, BASELINE)
    }
    assert roles == {CANDIDATE: {("system", "user")}, BASELINE: {("user",)}}
    ours = [body["messages"][0]["content"] for body in world.bodies if body["model"] == CANDIDATE]
    assert set(ours) == {"Short."}


async def test_a_platform_that_is_down_at_preflight_is_trouble_outside_not_wrong_input(
    letters, world
):
    run = letters.request()
    await evaluating.resolve(letters.settings, run)
    letters.change(letters.target, world.url, "http://127.0.0.1:9/v1")
    with pytest.raises(PlatformError, match=r"nothing answers at 127\.0\.0\.1:9"):
        await evaluating.preflight(letters.settings, run)
