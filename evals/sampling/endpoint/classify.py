"""What an HTTP answer means: the one place where outcomes get their class.

`classify` is pure. The model's own faults (refused, truncated, filtered) are told apart from those of the infrastructure;
a success that cannot be read is the server's error, never an empty answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from evals.records import Outcome, Usage
from evals.sampling.endpoint.parsing import Fault, count, read_fault, read_json
from evals.sampling.endpoint.transport import TransportFailure

__all__ = ["Fatal", "Reply", "classify", "no_answer"]

Fatal = Literal["", "auth", "quota", "gone", "address", "unavailable"]

_UNSUPPORTED = frozenset({"unsupported_parameter", "unsupported_value"})
_GONE = frozenset({"DeploymentNotFound", "model_not_found"})
_FATAL: dict[int, Fatal] = {
    401: "auth",
    403: "auth",
    404: "address",
    410: "unavailable",
    423: "unavailable",
}


class Reply(msgspec.Struct, kw_only=True, gc=False):
    """One attempt's result. `refused_parameter` is set when the request may succeed without that parameter."""

    outcome: Outcome
    text: str | None = None
    finish_reason: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    usage: Usage | None = None
    error: str | None = None
    error_code: str | None = None
    retryable: bool = False
    fatal: Fatal = ""
    status: int = 200
    refused_parameter: str | None = None
    model: str | None = None
    fingerprint: str | None = None
    maybe_billed: bool = False
    unreachable: bool = False


def classify(api: str, status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """Return the class of an answer. `api` is 'chat' or 'responses'; `headers` looks up lower-case names."""
    if 200 <= status < 300:
        return _read_success(api, body)
    reply = _read_failure(status, body)
    advice = headers.get("x-should-retry")
    if advice in ("true", "false") and not reply.fatal:
        reply.retryable = advice == "true"
    return reply


def no_answer(failure: TransportFailure) -> Reply:
    """Return the class of a request that got no answer. It may be billed once the service has been reached."""
    return Reply(
        outcome=failure.outcome,
        error=str(failure),
        error_code=failure.code,
        retryable=True,
        maybe_billed=failure.connected,
        unreachable=not failure.connected,
    )


def _read_success(api: str, body: bytes) -> Reply:
    data = read_json(body)
    if not isinstance(data, dict):
        return _malformed("the body is not a JSON object")
    if data.get("error"):
        return _failed_inside(data)
    try:
        return _read_chat(data) if api == "chat" else _read_response(data)
    except (KeyError, TypeError, AttributeError, IndexError):
        return _malformed("the body lacks what an answer must have")


def _malformed(what: str) -> Reply:
    return Reply(
        outcome="server_error",
        retryable=True,
        maybe_billed=True,
        error_code="malformed_response",
        error=what,
    )


def _read_chat(data: dict[str, Any]) -> Reply:
    choice = data["choices"][0]
    message = choice["message"]
    finish: str | None = choice.get("finish_reason")
    refusal = message.get("refusal")
    text = _joined(message.get("content"))
    outcome: Outcome = "answered"
    if finish == "content_filter":
        outcome = "content_filtered"
    elif finish == "length":
        outcome = "truncated"
    elif refusal:
        outcome, text = "refused", _joined(refusal)
    usage = data.get("usage")
    return Reply(
        outcome=outcome,
        text=text,
        finish_reason=finish if isinstance(finish, str) else None,
        tool_calls=_calls(message),
        usage=_chat_usage(usage) if isinstance(usage, dict) else None,
        model=_name(data.get("model")),
        fingerprint=_name(data.get("system_fingerprint")),
    )


def _joined(content: Any) -> str | None:
    if content is None or type(content) is str:
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("text") is not None)
    raise TypeError("content is neither text nor parts")


def _calls(message: dict[str, Any]) -> list[dict[str, Any]] | None:
    calls, old = message.get("tool_calls"), message.get("function_call")
    if not calls:
        return [{"type": "function", "function": old}] if isinstance(old, dict) else None
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise TypeError("tool_calls is not a list of objects")
    return calls


def _name(value: Any) -> str | None:
    return value if type(value) is str else None


def _chat_usage(usage: dict[str, Any]) -> Usage:
    prompt = usage.get("prompt_tokens_details")
    completion = usage.get("completion_tokens_details")
    return Usage(
        prompt_tokens=count(usage.get("prompt_tokens")),
        completion_tokens=count(usage.get("completion_tokens")),
        cached_tokens=count(prompt.get("cached_tokens")) if prompt else 0,
        reasoning_tokens=count(completion.get("reasoning_tokens")) if completion else 0,
    )


def _read_response(data: dict[str, Any]) -> Reply:
    status = data["status"]
    if status not in ("completed", "incomplete"):
        return _malformed(f"the response's status is {status!r}")
    texts, refusals, calls = _output(data["output"])
    usage = data.get("usage")
    reply = Reply(
        outcome="answered",
        text="".join(texts) if texts or not calls else None,
        finish_reason="stop" if status == "completed" else None,
        tool_calls=calls or None,
        usage=_responses_usage(usage) if isinstance(usage, dict) else None,
        model=_name(data.get("model")),
    )
    if status == "incomplete":
        return _incomplete(reply, (data.get("incomplete_details") or {}).get("reason"))
    if refusals:
        reply.outcome, reply.text = "refused", "".join(refusals)
    elif calls:
        reply.finish_reason = "tool_calls"
    return reply


def _incomplete(reply: Reply, reason: Any) -> Reply:
    if reason == "content_filter":
        reply.outcome, reply.finish_reason = "content_filtered", "content_filter"
    elif reason == "max_output_tokens":
        reply.outcome, reply.finish_reason = "truncated", "length"
    else:
        return _malformed(f"the response is incomplete for the reason {reason!r}")
    return reply


def _output(items: list[dict[str, Any]]) -> tuple[list[str], list[str], list[dict[str, Any]]]:
    texts: list[str] = []
    refusals: list[str] = []
    calls: list[dict[str, Any]] = []
    for item in items:
        if item["type"] == "message":
            for part in item["content"]:
                if part["type"] == "output_text":
                    texts.append(part["text"])
                elif part["type"] == "refusal":
                    refusals.append(part["refusal"])
        elif item["type"] == "function_call":
            function = {"name": item["name"], "arguments": item["arguments"]}
            calls.append({"id": item.get("call_id"), "type": "function", "function": function})
    return texts, refusals, calls


def _responses_usage(usage: dict[str, Any]) -> Usage:
    prompt = usage.get("input_tokens_details")
    completion = usage.get("output_tokens_details")
    return Usage(
        prompt_tokens=count(usage.get("input_tokens")),
        completion_tokens=count(usage.get("output_tokens")),
        cached_tokens=count(prompt.get("cached_tokens")) if prompt else 0,
        reasoning_tokens=count(completion.get("reasoning_tokens")) if completion else 0,
    )


def _failed_inside(data: dict[str, Any]) -> Reply:
    """A success status around an error: the Responses API's failed responses, and some gateways."""
    fault = read_fault(data, b"")
    if fault.filtered:
        return _filtered(fault)
    rate_limited = fault.code == "rate_limit_exceeded"
    return Reply(
        outcome="rate_limited" if rate_limited else "server_error",
        retryable=True,
        error_code=fault.code or "malformed_response",
        error=fault.message,
    )


def _filtered(fault: Fault) -> Reply:
    return Reply(
        outcome="content_filtered",
        finish_reason="content_filter",
        error_code=fault.code or "content_filter",
        error=fault.filtered,
    )


def _read_failure(status: int, body: bytes) -> Reply:
    fault = read_fault(read_json(body), body)
    if status == 400 and fault.filtered:
        return _filtered(fault)
    code = fault.code or f"http_{status}"
    reply = Reply(outcome="invalid_request", status=status, error_code=code, error=fault.message)
    if status == 429:
        reply.outcome, reply.retryable = "rate_limited", True
        if "insufficient_quota" in (fault.code, fault.type):
            reply.fatal = "quota"
    elif status == 408:
        reply.outcome, reply.retryable, reply.maybe_billed = "timed_out", True, True
    elif status == 409 or status >= 500:
        reply.outcome, reply.retryable = "server_error", True
    elif status < 400:
        reply.fatal = "address"
    elif status in _FATAL:
        reply.fatal = "gone" if status == 404 and code in _GONE else _FATAL[status]
    elif status == 400 and (code in _UNSUPPORTED or fault.unrecognised):
        reply.refused_parameter = fault.unrecognised or fault.parameter
    return reply
