"""The transport against the openai SDK on the same server: same bodies, same headers that matter, same classes of failure."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from evals.records import Message
from evals.sampling.endpoint.responses_api import responses_input
from evals.sampling.request_spec import ModelRequest, SamplingSettings
from evals.sampling.request_spec import SamplingSettings as Settings

TOOL = {"type": "function", "function": {"name": "refund", "parameters": {"type": "object"}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "t", "schema": {"type": "object"}}}
MESSAGES = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Wo ist mein Päckchen? 📦"),
)
PLAIN = [{"role": m.role, "content": m.content} for m in MESSAGES]
SECRET = "key-0123456789abcdef"


def client(studio: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=studio.server.base_url, api_key=SECRET, max_retries=0, timeout=60
    )


async def ours(studio: Any, settings: Settings, repeat: int = 0) -> Any:
    async def auth() -> dict[str, str]:
        return {"Authorization": f"Bearer {SECRET}"}

    studio.roles, studio.auth = ("candidate",), auth
    ask = ModelRequest(
        role="candidate", suite="triage", case_id="c-0", repeat=repeat, messages=MESSAGES
    )
    return await studio.run([ask], settings=settings)


async def test_the_same_chat_body_and_headers(studio: Any) -> None:
    settings = SamplingSettings(
        temperature=0,
        top_p=0.9,
        max_completion_tokens=16,
        seed=7,
        stop=("END",),
        response_format=FORMAT,
        tools=(TOOL,),
        tool_choice="auto",
    )
    await ours(studio, settings, repeat=2)
    async with client(studio) as sdk:
        await sdk.chat.completions.create(
            model="candidate",
            messages=PLAIN,
            temperature=0,
            top_p=0.9,
            max_completion_tokens=16,
            seed=9,
            stop=["END"],
            response_format=FORMAT,
            tools=[TOOL],
            tool_choice="auto",
        )
    mine, theirs = studio.server.requests
    assert mine.body == theirs.body
    assert mine.path == theirs.path
    for name in ("authorization", "content-type", "accept", "host", "content-length"):
        if name != "content-length":  # the SDK may escape or space differently
            assert mine.headers[name] == theirs.headers[name], name
    assert int(mine.headers["content-length"]) == len(mine.raw)


async def test_the_same_responses_body(studio: Any) -> None:
    studio.api = "responses"
    part = {"type": "output_text", "text": "hi", "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}  # fmt: skip
    body = {"id": "r", "object": "response", "status": "completed", "output": [message]}
    studio.server.script = lambda request: studio.status(200, body)
    settings = SamplingSettings(temperature=0, max_completion_tokens=16, tools=(TOOL,))
    await ours(studio, settings)
    async with client(studio) as sdk:
        answer = await sdk.responses.create(
            model="candidate",
            input=responses_input(MESSAGES),
            temperature=0,
            max_output_tokens=16,
            tools=[{"type": "function", "name": "refund", "parameters": {"type": "object"}}],
            store=False,
        )
    mine, theirs = studio.server.requests
    assert (mine.body, mine.path) == (theirs.body, theirs.path)
    assert studio.responses()["c-0", 0].text == answer.output_text


async def test_the_dated_style_addresses_the_same_url(studio: Any) -> None:
    await ours(studio, SamplingSettings())
    sdk = openai.AsyncAzureOpenAI(
        azure_endpoint=studio.server.base_url.removesuffix("/v1"),
        api_key=SECRET,
        api_version="2024-10-21",
        max_retries=0,
    )
    async with sdk:
        await sdk.chat.completions.create(model="dep-1", messages=PLAIN)
    theirs = studio.server.requests[-1]
    from evals.records import Endpoint
    from evals.sampling.endpoint.request_body import RequestBuilder

    root = studio.server.base_url.removesuffix("/v1")
    endpoint = Endpoint(
        base_url=f"{root}/openai/deployments/dep-1",
        model="dep-1",
        model_id="m",
        api_version="2024-10-21",
    )
    assert RequestBuilder(endpoint, SamplingSettings()).url == root + theirs.path


STATUSES = {
    400: (openai.BadRequestError, "invalid_request"),
    408: (openai.APIStatusError, "timed_out"),
    409: (openai.ConflictError, "server_error"),
    422: (openai.UnprocessableEntityError, "invalid_request"),
    429: (openai.RateLimitError, "rate_limited"),
    500: (openai.InternalServerError, "server_error"),
    503: (openai.InternalServerError, "server_error"),
    504: (openai.InternalServerError, "server_error"),
}


async def both(studio: Any) -> tuple[Any, Exception]:
    await ours(studio, SamplingSettings(max_attempts=1, timeout_s=60))
    async with client(studio) as sdk:
        with pytest.raises(openai.OpenAIError) as caught:
            await sdk.chat.completions.create(model="candidate", messages=PLAIN)
    return studio.responses()["c-0", 0], caught.value


@pytest.mark.slow
@pytest.mark.parametrize("code", STATUSES)
async def test_the_same_class_for_every_status(studio: Any, code: int) -> None:
    studio.server.script = lambda request: studio.failing(code, "some_code", "some words")
    response, error = await both(studio)
    kind, outcome = STATUSES[code]
    assert isinstance(error, kind)
    assert (response.outcome, response.error_code) == (outcome, error.code)
    assert error.body["message"] == response.error


@pytest.mark.parametrize("code", [401, 403, 404])
async def test_what_the_sdk_calls_denied_or_missing_ends_the_run(studio: Any, code: int) -> None:
    from evals.errors import SamplingError

    studio.server.script = lambda request: studio.failing(code, "some_code")
    with pytest.raises(SamplingError, match="some_code"):
        await ours(studio, SamplingSettings())
    async with client(studio) as sdk:
        with pytest.raises(
            (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)
        ):
            await sdk.chat.completions.create(model="candidate", messages=PLAIN)


async def test_the_same_for_time_outs_and_lost_connections(studio: Any) -> None:
    studio.server.script = lambda request: studio.drip("x", 0.1)
    # The SDK's time-out is one between bytes, ours one over the whole: only ours ends a drip.
    await ours(studio, SamplingSettings(max_attempts=1, timeout_s=0.3))
    assert studio.responses()["c-0", 0].outcome == "timed_out"
    studio.folder = studio.folder / "lost"
    studio.server.script = lambda request: studio.drop_at_once()
    response, error = await both(studio)
    assert isinstance(error, openai.APIConnectionError)
    assert response.outcome == "connection_error"


async def test_the_same_reading_of_an_answer(studio: Any) -> None:
    message = {"content": "b", "refusal": None}
    studio.server.script = lambda request: studio.ok("b", message=message, finish_reason="length")
    await ours(studio, SamplingSettings())
    async with client(studio) as sdk:
        theirs = await sdk.chat.completions.create(model="candidate", messages=PLAIN)
    mine = studio.responses()["c-0", 0]
    assert mine.text == theirs.choices[0].message.content
    assert mine.finish_reason == theirs.choices[0].finish_reason
    assert theirs.usage is not None
    assert mine.usage.prompt_tokens == theirs.usage.prompt_tokens
    assert json.loads(theirs.model_dump_json())["model"] == "served-model"


async def test_the_sdk_would_retry_what_we_retry(studio: Any) -> None:
    for code in (400, 408, 409, 422, 429, 500, 503):
        studio.server.asked.clear()
        headers = {"retry-after-ms": "1"}
        studio.server.script = lambda r, c=code, h=headers: studio.failing(c, headers=h)
        async with client(studio).with_options(max_retries=1) as sdk:
            with pytest.raises(openai.OpenAIError):
                await sdk.chat.completions.create(model="sdk", messages=PLAIN)
        studio.folder = studio.folder.parent / f"run-{code}"
        await ours(studio, SamplingSettings(max_attempts=2))
        counts = {model: n for (model, _), n in studio.server.asked.items()}
        assert counts["sdk"] == counts["candidate"], code
