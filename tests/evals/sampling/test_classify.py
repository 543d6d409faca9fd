"""Every answer gets its class, whatever comes over the wire."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.records import MODEL_OUTCOMES, Outcome, Response, decode
from evals.sampling.endpoint.classify import Reply, classify

FILTERED = {"violence": {"filtered": True, "severity": "medium"}, "hate": {"filtered": False}}


def chat(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> Reply:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant"} | message}
    body = {"model": "m", "choices": [choice]} | more
    return classify("chat", 200, {}, json.dumps(body).encode())


def failure(status: int, error: Any, headers: dict[str, str] | None = None) -> Reply:
    return classify("chat", status, headers or {}, json.dumps(error).encode())


def test_an_answer_with_its_usage() -> None:
    usage = {
        "prompt_tokens": 41,
        "completion_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    reply = chat({"content": "refund"}, usage=usage, system_fingerprint="fp")
    assert (reply.outcome, reply.text, reply.fingerprint) == ("answered", "refund", "fp")
    assert reply.usage is not None
    assert (reply.usage.cached_tokens, reply.usage.reasoning_tokens) == (20, 2)
    assert not reply.retryable


@pytest.mark.parametrize(
    ("message", "finish", "outcome", "text"),
    [
        ({"content": "x"}, "length", "truncated", "x"),
        ({"content": ""}, "content_filter", "content_filtered", ""),
        ({"content": None}, "content_filter", "content_filtered", None),
        ({"content": None, "refusal": "I can't."}, "stop", "refused", "I can't."),
        ({"content": "x", "refusal": None}, None, "answered", "x"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "stop", "answered", "ab"),
        ({"content": None, "tool_calls": [{"id": "1"}]}, "tool_calls", "answered", None),
        ({"content": None, "function_call": {"name": "f"}}, "function_call", "answered", None),
    ],
)  # fmt: skip
def test_what_the_model_did(
    message: dict[str, Any], finish: str | None, outcome: str, text: str | None
) -> None:
    reply = chat(message, finish)
    assert (reply.outcome, reply.text, reply.retryable) == (outcome, text, False)
    assert bool(reply.tool_calls) == ("tool_calls" in message or "function_call" in message)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "content_filter", "innererror": {"content_filter_result": FILTERED}},
        {"code": "content_filter", "inner_error": {"content_filter_results": FILTERED}},
        {"code": "400", "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": FILTERED}},
    ],
)  # fmt: skip
def test_the_400_form_of_the_content_filter_names_what_was_hit(error: Any) -> None:
    reply = failure(400, {"error": error | {"message": "filtered"}})
    assert (reply.outcome, reply.retryable) == ("content_filtered", False)
    assert reply.error == "content filter: violence (medium)"


def test_a_content_filter_without_details_keeps_its_message() -> None:
    reply = failure(400, {"error": {"code": "content_filter", "message": "filtered by policy"}})
    assert (reply.outcome, reply.error) == (
        "content_filtered",
        "content filter: filtered by policy",
    )


@pytest.mark.parametrize(
    ("status", "error", "outcome", "retryable", "fatal"),
    [
        (400, {"code": "context_length_exceeded"}, "invalid_request", False, ""),
        (413, {}, "invalid_request", False, ""),
        (422, {}, "invalid_request", False, ""),
        (431, {}, "invalid_request", False, ""),
        (401, {"code": "401"}, "invalid_request", False, "auth"),
        (403, {"code": "PermissionDenied"}, "invalid_request", False, "auth"),
        (404, {"code": "DeploymentNotFound"}, "invalid_request", False, "gone"),
        (404, {"code": "model_not_found"}, "invalid_request", False, "gone"),
        (404, {"code": "404"}, "invalid_request", False, "address"),
        (410, {}, "invalid_request", False, "unavailable"),
        (423, {}, "invalid_request", False, "unavailable"),
        (307, {}, "invalid_request", False, "address"),
        (408, {}, "timed_out", True, ""),
        (409, {}, "server_error", True, ""),
        (429, {"code": "429"}, "rate_limited", True, ""),
        (429, {"code": "rate_limit_exceeded", "type": "tokens"}, "rate_limited", True, ""),
        (429, {"code": "insufficient_quota"}, "rate_limited", True, "quota"),
        (500, {}, "server_error", True, ""),
        (503, {}, "server_error", True, ""),
    ],
)
def test_failures_by_status(
    status: int, error: Any, outcome: str, retryable: bool, fatal: str
) -> None:
    reply = failure(status, {"error": {"message": "m"} | error})
    assert (reply.outcome, reply.retryable, reply.fatal) == (outcome, retryable, fatal)


@pytest.mark.parametrize(
    ("error", "parameter"),
    [
        ({"code": "unsupported_parameter", "param": "max_tokens"}, "max_tokens"),
        ({"code": "unsupported_value", "param": "temperature"}, "temperature"),
        ({"message": "Unrecognized request argument supplied: max_completion_tokens"}, "max_completion_tokens"),
        ({"code": "invalid_value", "param": "temperature"}, None),
    ],
)  # fmt: skip
def test_a_parameter_is_refused_by_name(error: Any, parameter: str | None) -> None:
    assert failure(400, {"error": error}).refused_parameter == parameter


def test_the_service_may_say_itself_whether_to_retry() -> None:
    assert not failure(500, {}, {"x-should-retry": "false"}).retryable
    assert failure(400, {}, {"x-should-retry": "true"}).retryable


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b'"x"', b"{}", b'{"choices":[]}', b"\xff"),
        b'{"choices":[{"message":{"content":"\xff"}}]}',
        b'{"choices":[{"message":{"content":"cut off',
        b'{"choices":' + b"[" * 100_000,
        b'{"created":' + b"9" * 5000 + b"}",
    ],
)
def test_an_unreadable_success_is_never_an_empty_answer(body: bytes) -> None:
    reply = classify("chat", 200, {}, body)
    assert (reply.outcome, reply.error_code) == ("server_error", "malformed_response")
    assert reply.retryable


def test_an_error_inside_a_success_is_an_error() -> None:
    reply = failure(200, {"error": {"code": "x", "message": "m"}})
    assert (reply.outcome, reply.error_code) == ("server_error", "x")


def test_lone_surrogates_become_replacement_characters() -> None:
    reply = classify("chat", 200, {}, b'{"choices":[{"message":{"content":"a\\ud800b"}}]}')
    assert reply.text == "a�b"


@pytest.mark.parametrize("odd", [b"1e999", b"NaN", b"1" * 30, b"-" + b"9" * 400, b'"\xed\xa0\x80"'])
def test_an_answer_is_read_whatever_stands_beside_it(odd: bytes) -> None:
    body = b'{"usage":{"prompt_tokens":%s},"choices":[{"message":{"content":"refund"}}]}' % odd
    reply = classify("chat", 200, {}, body)
    assert (reply.outcome, reply.text) == ("answered", "refund")
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == 0


def responses(**body: Any) -> Reply:
    return classify("responses", 200, {}, json.dumps({"error": None} | body).encode())


def output(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": list(parts)},
    ]


def test_the_responses_api_says_the_same_in_other_words() -> None:
    text = {"type": "output_text", "text": "refund", "annotations": []}
    usage = {"input_tokens": 5, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 1}}
    reply = responses(status="completed", output=output(text), usage=usage)
    assert (reply.outcome, reply.text, reply.finish_reason) == ("answered", "refund", "stop")
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.cached_tokens) == (5, 1)
    refusal = {"type": "refusal", "refusal": "no"}
    assert responses(status="completed", output=output(refusal)).outcome == "refused"
    for reason, outcome in (
        ("max_output_tokens", "truncated"),
        ("content_filter", "content_filtered"),
    ):
        cut = responses(
            status="incomplete", output=output(text), incomplete_details={"reason": reason}
        )
        assert cut.outcome == outcome


def test_a_function_call_of_the_responses_api_looks_like_a_tool_call() -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "refund", "arguments": "{}"}
    reply = responses(status="completed", output=[call])
    function = {"name": "refund", "arguments": "{}"}
    assert reply.tool_calls == [{"id": "c1", "type": "function", "function": function}]


@pytest.mark.parametrize("status", ["failed", "cancelled", "in_progress", "queued", "odd", None])
def test_a_response_that_is_not_finished_is_the_servers_error(status: str | None) -> None:
    assert responses(status=status, output=[]).outcome == "server_error"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "finish_reason",
                    "refusal",
                    "tool_calls",
                    "usage",
                    "prompt_tokens",
                    "error",
                    "code",
                    "prompt_tokens_details",
                    "cached_tokens",
                    "param",
                    "innererror",
                    "content_filter_result",
                    "status",
                    "output",
                    "type",
                    "text",
                    "model",
                    "system_fingerprint",
                    "incomplete_details",
                    "reason",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(
    st.sampled_from(["chat", "responses"]),
    st.sampled_from([200, 201, 302, 400, 401, 404, 408, 409, 418, 429, 500, 503]),
    st.one_of(JSON.map(lambda value: json.dumps(value).encode()), st.binary(max_size=60)),
)
def test_anything_at_all_gets_a_class_and_can_be_journalled(
    api: str, status: int, body: bytes
) -> None:
    reply = classify(api, status, {}, body)
    assert reply.outcome in get_args(Outcome)
    assert reply.outcome not in MODEL_OUTCOMES or status < 300 or status == 400
    response = Response(
        case_id="c",
        model_id="m",
        outcome=reply.outcome,
        text=reply.text,
        finish_reason=reply.finish_reason,
        tool_calls=reply.tool_calls,
        usage=reply.usage,
        error_code=reply.error_code,
    )
    assert decode(msgspec.json.encode(response), Response) == response


@given(
    st.lists(
        st.fixed_dictionaries(
            {"message": st.fixed_dictionaries({"content": JSON, "tool_calls": JSON, "refusal": JSON})},
            optional={"finish_reason": JSON},
        ),
        max_size=2,
    )
)  # fmt: skip
def test_choices_of_any_shape_get_a_class(choices: list[Any]) -> None:
    body = json.dumps({"choices": choices, "usage": {"prompt_tokens": 1}}).encode()
    reply = classify("chat", 200, {}, body)
    assert reply.outcome in get_args(Outcome)
    assert reply.text is None or isinstance(reply.text, str)
    encoded = msgspec.json.encode(reply)
    assert msgspec.json.decode(encoded, type=Reply).outcome == reply.outcome


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b'{"code": "Odd", "message": "m"}', "Odd", "m"),
        (b'{"Message": "busy"}', "http_400", "busy"),
        (b'{"error": "text"}', "http_400", "text"),
        (b'{"errors": [{"code": "Odd", "message": "m"}]}', "Odd", "m"),
        (b"<html><title>Bad Gateway</title></html>", "http_400", "a web page: Bad Gateway"),
        (b"<Error><Code>Odd</Code><Message>m</Message></Error>", "Odd", "m"),
        (b"", "http_400", "empty body"),
    ],
)
def test_an_error_body_is_read_whatever_its_shape(body: bytes, code: str, said: str) -> None:
    reply = classify("chat", 400, {}, body)
    assert (reply.error_code, reply.error) == (code, said)
