"""How a target has its models asked: by which API, with which system prompt and which sampling."""

from __future__ import annotations

import shutil

import pytest

from evals.errors import PlatformError
from flows.evaluation import steps
from flows.evaluation.request import resolve

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


@pytest.mark.slow
async def test_a_target_may_speak_the_responses_api(plain, host):
    plain.change(plain.target, "sampling: {", "sampling: {api: responses, ")
    assert (await run(plain)).outcome == "PASS"
    assert host.asked == {CANDIDATE: 40, BASELINE: 40}
    assert all("input" in body and "messages" not in body for body in host.bodies)


@pytest.mark.slow
async def test_candidate_and_baseline_may_have_system_prompts_of_their_own(plain, host):
    plain.change(plain.target, "sampling: {", "sampling: {candidate: {system_prompt: Short.}, ")
    await run(plain)
    roles = {
        model: {
            tuple(m["role"] for m in body["messages"])
            for body in host.bodies
            if body["model"] == model
        }
        for model in (CANDIDATE, BASELINE)
    }
    assert roles == {CANDIDATE: {("system", "user")}, BASELINE: {("user",)}}
    ours = [body["messages"][0]["content"] for body in host.bodies if body["model"] == CANDIDATE]
    assert set(ours) == {"Short."}


@pytest.mark.slow
async def test_each_suite_is_asked_by_its_own_sampling_and_the_targets_word_goes_before_it(
    plain, host
):
    other = plain.suite.parent / "notes"
    shutil.copytree(plain.suite, other)
    plain.change(other / "suite.yaml", "name: letters", "name: notes")
    plain.change(other / "suite.yaml", "name: tone", "name: note")
    plain.change(other / "suite.yaml", "letter about", "note about")
    plain.change(plain.suite / "suite.yaml", "version: 1", "version: 1\nsampling: {top_p: 0.5}")
    plain.change(
        other / "suite.yaml", "version: 1", "version: 1\nsampling: {seed: 7, temperature: 1}"
    )
    plain.change(plain.target, "suites: [letters]", "suites: [letters, notes]")
    words = "sampling: {temperature: 0, candidate: {reasoning_effort: low}, "
    plain.change(plain.target, "sampling: {", words)
    await run(plain)
    said = {
        (body["model"], body["messages"][0]["content"].split()[3]): {
            key: body[key]
            for key in ("temperature", "top_p", "seed", "reasoning_effort")
            if key in body
        }
        for body in host.bodies
    }
    assert said == {
        (CANDIDATE, "letter"): {"temperature": 0, "top_p": 0.5, "reasoning_effort": "low"},
        (CANDIDATE, "note"): {"temperature": 0, "seed": 7, "reasoning_effort": "low"},
        (BASELINE, "letter"): {"temperature": 0, "top_p": 0.5},
        (BASELINE, "note"): {"temperature": 0, "seed": 7},
    }


async def test_a_platform_that_is_down_at_preflight_is_trouble_outside_not_wrong_input(
    letters, host
):
    run = letters.request()
    await resolve(letters.settings, run)
    letters.change(letters.target, host.url, "http://127.0.0.1:9/v1")
    with pytest.raises(PlatformError, match=r"nothing answers at 127\.0\.0\.1:9"):
        await steps.preflight(letters.settings, run)
