"""Request bodies: what is sent, and how refused parameters are learnt."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evals.errors import ConfigurationError
from evals.records import Endpoint, Message
from evals.sampling.endpoint.request_body import RequestBuilder
from evals.sampling.request_spec import ModelRequest, SamplingSettings, interleave

TOOL = {"type": "function", "function": {"name": "refund", "parameters": {"type": "object"}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "triage", "schema": {}, "strict": True}}


def endpoint(**changes: Any) -> Endpoint:
    address = {"base_url": "https://x/openai/v1/", "model": "dep-1", "model_id": "ft:m"}
    return Endpoint(**(address | changes))


def ask(*messages: Message, repeat: int = 0) -> ModelRequest:
    messages = messages or (Message(role="user", content="hello"),)
    return ModelRequest(role="candidate", suite="s", case_id="c", repeat=repeat, messages=messages)


def body(builder: RequestBuilder, question: ModelRequest | None = None) -> dict[str, Any]:
    return json.loads(builder.body(question or ask()))


def test_only_what_was_set_is_sent() -> None:
    assert body(RequestBuilder(endpoint(), SamplingSettings())) == {
        "model": "dep-1",
        "messages": [{"role": "user", "content": "hello"}],
    }


def test_repeats_get_their_own_seeds() -> None:
    builder = RequestBuilder(endpoint(), SamplingSettings(seed=7, temperature=0))
    assert [body(builder, ask(repeat=n))["seed"] for n in (0, 1, 2, 0)] == [7, 8, 9, 7]
    assert body(builder)["temperature"] == 0


def test_urls_of_every_style() -> None:
    settings = SamplingSettings()
    assert RequestBuilder(endpoint(), settings).url == "https://x/openai/v1/chat/completions"
    dated = endpoint(base_url="https://x/openai/deployments/d", api_version="2024-10-21")
    assert (
        RequestBuilder(dated, settings).url
        == "https://x/openai/deployments/d/chat/completions?api-version=2024-10-21"
    )
    assert (
        RequestBuilder(endpoint(api="responses"), settings).url == "https://x/openai/v1/responses"
    )


def test_a_conversation_with_tools_in_both_dialects() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "refund", "arguments": "{}"}}
    question = ask(
        Message(role="system", content="Be brief."),
        Message(role="user", content=[{"type": "text", "text": "hi"}]),
        Message(role="assistant", tool_calls=[call]),
        Message(role="tool", tool_call_id="c1", content="done"),
    )
    settings = SamplingSettings(
        tools=(TOOL,), response_format=FORMAT, max_completion_tokens=9, seed=1, extra={"user": "u"}
    )
    chat = body(RequestBuilder(endpoint(), settings), question)
    assert chat["messages"][2] == {"role": "assistant", "tool_calls": [call]}
    assert chat["tools"] == [TOOL]
    assert chat["user"] == "u"
    other = body(RequestBuilder(endpoint(api="responses"), settings), question)
    assert other["input"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "function_call", "call_id": "c1", "name": "refund", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
    ]
    assert other["text"] == {
        "format": {"type": "json_schema", "name": "triage", "schema": {}, "strict": True}
    }
    assert other["tools"] == [
        {"type": "function", "name": "refund", "parameters": {"type": "object"}}
    ]
    assert (other["max_output_tokens"], other["store"]) == (9, False)
    assert "seed" not in other


def test_a_refused_temperature_is_left_out_from_then_on() -> None:
    builder = RequestBuilder(endpoint(), SamplingSettings(temperature=0, max_completion_tokens=5))
    assert builder.adapt("temperature", 0)
    assert "temperature" not in body(builder)
    assert builder.adapt("temperature", 0), "sent before the lesson: only to be sent again"
    assert not builder.adapt("temperature", builder.version), "refused although it was not sent"
    assert builder.adjustments == ["temperature left out: the endpoint refuses it"]


def test_max_tokens_is_renamed_once_and_never_back_and_forth() -> None:
    builder = RequestBuilder(endpoint(), SamplingSettings(max_completion_tokens=5))
    assert builder.adapt("max_completion_tokens", 0)
    assert body(builder)["max_tokens"] == 5
    assert not builder.adapt("max_tokens", builder.version)


def test_unknown_parameters_are_not_guessed_at() -> None:
    builder = RequestBuilder(endpoint(), SamplingSettings(temperature=0))
    assert not builder.adapt("response_format", 0)
    assert not builder.adapt(None, 0)


def test_keys_tell_questions_apart_and_ignore_the_deployments_name() -> None:
    base = RequestBuilder(endpoint(), SamplingSettings(temperature=0))
    same = RequestBuilder(endpoint(model="dep-2", base_url="https://y/v1"), SamplingSettings(temperature=0))  # fmt: skip
    assert base.key(ask()) == same.key(ask())
    others = [
        RequestBuilder(endpoint(model_id="ft:other"), SamplingSettings(temperature=0)).key(ask()),
        RequestBuilder(endpoint(slot="production"), SamplingSettings(temperature=0)).key(ask()),
        RequestBuilder(endpoint(), SamplingSettings(temperature=1)).key(ask()),
        base.key(ask(repeat=1)),
        base.key(ask(Message(role="user", content="bye"))),
    ]
    assert len({base.key(ask()), *others}) == 6
    base.adapt("temperature", 0)
    assert base.key(ask()) == same.key(ask()), "what was meant counts, not what was left out"


def test_settings_out_of_range_are_all_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        SamplingSettings(concurrency=0, temperature=3, timeout_s=0)
    assert [p.field for p in caught.value.problems] == ["concurrency", "timeout_s", "temperature"]


def test_interleaving_alternates_and_reads_nothing_ahead() -> None:
    read: list[str] = []

    def stream(name: str, count: int) -> Any:
        for number in range(count):
            read.append(f"{name}{number}")
            yield f"{name}{number}"

    mixed = interleave(stream("a", 3), stream("b", 1))
    assert [next(mixed), next(mixed)] == ["a0", "b0"]
    assert read == ["a0", "b0"]
    assert list(mixed) == ["a1", "a2"]
