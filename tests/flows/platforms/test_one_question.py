"""A candidate that answers already is asked one real question; one that would have to be deployed first is asked nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.scripted_server import ACCOUNT, OTHER, TUNED, shown

from evals.records import Candidate
from flows.platforms.asking.one_question import asked_once
from flows.platforms.base import Finding
from flows.platforms.openai import OpenAIPlatform, read_openai_options

MODEL = "ft:gpt-4.1-mini-2025-04-14:acme:triage:CdEf12Gh"
CHAT, ON_AZURE = "POST /v1/chat/completions", "POST /openai/v1/chat/completions"
PRICES = {"gpt-4.1-mini": {"input": 0.4, "output": 1.6}}


@pytest.fixture
async def compatible(server: Any) -> AsyncIterator[OpenAIPlatform]:
    options = {"base_url": f"{server.url}/v1", "key_variable": "none", "prices": PRICES}
    platform = OpenAIPlatform(read_openai_options(options), {})
    yield platform
    await platform.aclose()


def completion(said: Any = "Ready.", model: str = MODEL) -> tuple[int, Any]:
    message = {"role": "assistant", "content": said}
    usage = {"prompt_tokens": 14, "completion_tokens": 2}
    return 200, {"model": model, "choices": [{"message": message}], "usage": usage}


async def ask(platform: Any, model: str = MODEL, *found: Finding) -> tuple[Finding, ...]:
    return await asked_once(platform, Candidate(model_id=model, target="t"), found)


async def test_a_model_that_answers_is_asked_once_and_its_cost_is_told(
    server: Any, compatible: OpenAIPlatform
) -> None:
    server.on(CHAT, completion("Ready.\x1b[31m"))
    (found,) = await ask(compatible)
    assert (found.name, found.level) == ("answer", "ok")
    assert found.message.startswith(f"{MODEL} answers: 'Ready.' after ")
    assert found.message.endswith("; 1 request, 14 + 2 tokens, 0.000009 USD")
    (asked,) = server.asked(CHAT)
    assert asked.body["model"] == MODEL
    assert asked.body["messages"][0]["content"].endswith("ready.")


async def test_a_price_that_is_not_known_is_said_to_be_so(
    server: Any, compatible: OpenAIPlatform
) -> None:
    server.on(CHAT, completion(model="llama-3"))
    (found,) = await ask(compatible, "llama-3")
    assert found.message.endswith("1 request, 14 + 2 tokens, at a price that is not known")


@pytest.mark.parametrize(
    ("reply", "level", "read"),
    [
        ((404, {"error": {"code": "model_not_found", "message": "no"}}), "fail", "not known here"),
        ((401, {"error": {"code": "invalid_api_key", "message": "no"}}), "fail", "the credential"),
        ((429, {"error": {"code": "rate_limit_exceeded"}}), "warn", "rate limit is used up"),
        ((429, {"error": {"code": "insufficient_quota"}}), "fail", "no credit left"),
        ((500, {"error": {"message": "oops"}}), "fail", "oops"),
        ((200, {"choices": []}), "fail", "no completion"),
        ((200, b"<html>hello</html>"), "fail", "no completion"),
        (completion(model=f"{MODEL}-other"), "fail", f"answers as {MODEL}-other"),
        ((400, {"error": {"code": "content_filter", "message": "no"}}), "ok", "refuses the test"),
        (completion(None), "ok", "answers: ''"),
    ],
)
async def test_what_comes_instead_of_an_answer_is_explained(
    server: Any, compatible: OpenAIPlatform, reply: Any, level: str, read: str
) -> None:
    server.on(CHAT, reply)
    (found,) = await ask(compatible)
    assert found.level == level
    assert read in found.message


@pytest.mark.parametrize("name", ["credentials", "model", "account", "lifetime"])
async def test_nothing_is_asked_in_vain(server: Any, compatible: OpenAIPlatform, name: str) -> None:
    assert await ask(compatible, MODEL, Finding(name=name, level="fail", message="no")) == ()
    assert not server.seen


@pytest.mark.parametrize("live", [None, "theirs"])
async def test_what_others_deployed_is_not_asked_unless_it_is_live(
    server: Any, azure: Any, live: str | None
) -> None:
    theirs = shown("theirs", state="Succeeded", sku="ProvisionedManaged", tags={})
    server.on(f"GET {ACCOUNT}/deployments", (200, {"value": [theirs]}))
    server.on(ON_AZURE, completion(model=TUNED))
    candidate = Candidate(model_id=TUNED, target="t")
    assert bool(await asked_once(azure, candidate, (), live=live)) is bool(live)


async def test_on_azure_only_a_deployment_that_stands_is_asked(server: Any, azure: Any) -> None:
    listed = f"GET {ACCOUNT}/deployments"
    standing = [shown("x-1", OTHER), shown("x-2", state="Creating")]
    server.on(listed, (200, {"value": standing}), (200, {"value": [*standing, shown("x-3")]}))
    server.on(ON_AZURE, completion(model=TUNED))
    assert await ask(azure, TUNED) == ()
    assert not server.asked(ON_AZURE)
    (found,) = await ask(azure, TUNED)
    assert found.message.startswith("x-3 answers: 'Ready.'")
    assert server.asked(ON_AZURE)[0].body["model"] == "x-3"
