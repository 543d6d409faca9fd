"""Checking inference requests as strictly as the services do: unknown arguments, ranges, what reasoning models refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flows.emulator.gateway.errors import ServiceError, bad_request, data_plane_error
from flows.emulator.inference.generation import token_count
from flows.emulator.inference.serving import Serving
from flows.emulator.models.conversation import flat_text
from flows.emulator.state.documents import Flavour
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["check_chat", "check_responses"]

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_CHAT = frozenset([
    "model", "messages", "temperature", "top_p", "n", "stream", "stream_options", "stop", "max_tokens",
    "max_completion_tokens", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs",
    "top_logprobs", "user", "seed", "response_format", "tools", "tool_choice", "parallel_tool_calls",
    "metadata", "store", "reasoning_effort", "service_tier", "safety_identifier", "prompt_cache_key",
    "modalities", "prediction", "verbosity", "functions", "function_call", "data_sources",
])  # fmt: skip
_RESPONSES = frozenset([
    "model", "input", "instructions", "max_output_tokens", "temperature", "top_p", "text", "store",
    "previous_response_id", "metadata", "tools", "tool_choice", "parallel_tool_calls", "reasoning",
    "include", "stream", "truncation", "user", "background", "service_tier", "safety_identifier",
    "prompt_cache_key", "top_logprobs", "max_tool_calls", "conversation", "prompt",
])  # fmt: skip
_RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "n": (1, 128),
    "max_tokens": (1, 10**6),
    "max_completion_tokens": (1, 10**6),
    "max_output_tokens": (16, 10**6),
    "top_logprobs": (0, 20),
}
_NOT_FOR_REASONING = [
    "max_tokens",
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
]


def check_chat(
    state: EmulatorState, serving: Serving, body: Mapping[str, Any], flavour: Flavour
) -> None:
    """Check a chat-completions body. Raises 400."""
    _check_names(body, _CHAT, flavour)
    _check_ranges(body, flavour)
    if serving.reasoning:
        _check_reasoning(body, flavour)
    if "max_tokens" in body and "max_completion_tokens" in body:
        raise bad_request(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            flavour,
        )
    _check_messages(body.get("messages"), flavour)
    _check_format(body.get("response_format"), body["messages"], flavour, "response_format")
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise bad_request(
            "'logprobs' must be true when 'top_logprobs' is set.", flavour, param="top_logprobs"
        )
    _check_length(state, body["messages"], flavour)


def check_responses(
    state: EmulatorState,
    serving: Serving,
    body: Mapping[str, Any],
    messages: Sequence[Mapping[str, Any]],
    flavour: Flavour,
) -> None:
    """Check a Responses body whose input has been turned into messages. Raises 400."""
    _check_names(body, _RESPONSES, flavour)
    _check_ranges(body, flavour)
    if serving.reasoning:
        _check_reasoning(body, flavour)
    text = body.get("text")
    _check_format(
        text.get("format") if isinstance(text, Mapping) else None, messages, flavour, "text.format"
    )
    _check_length(state, messages, flavour)


def _check_messages(messages: Any, flavour: Flavour) -> None:
    """Check a list of chat messages. Raises 400 naming the place."""
    if not isinstance(messages, list) or not messages:
        raise bad_request(
            "'messages' is a required property: a non-empty array.", flavour, param="messages"
        )
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise bad_request(
                f"'{where}.role' must be one of {list(_ROLES)}.", flavour, param=f"{where}.role"
            )
        content = message.get("content")
        assistant = message["role"] == "assistant" and (
            message.get("tool_calls") or content is not None
        )
        if not assistant and not isinstance(content, str | list):
            raise bad_request(
                f"Invalid value for '{where}.content': expected a string or an array.",
                flavour,
                param=f"{where}.content",
            )


def _check_names(body: Mapping[str, Any], known: frozenset[str], flavour: Flavour) -> None:
    for name in body:
        if name not in known:
            raise data_plane_error(
                400,
                "unknown_parameter" if flavour == "openai" else None,
                f"Unrecognized request argument supplied: {name}",
                flavour=flavour,
                param=name,
            )


def _check_ranges(body: Mapping[str, Any], flavour: Flavour) -> None:
    for name, (low, high) in _RANGES.items():
        value = body.get(name)
        if value is None:
            continue
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise data_plane_error(
                400,
                "invalid_value",
                f"Invalid value for '{name}': expected a number from {low} to {high}, got {value!r}.",
                flavour=flavour,
                param=name,
            )


def _check_reasoning(body: Mapping[str, Any], flavour: Flavour) -> None:
    for name in _NOT_FOR_REASONING:
        if body.get(name) is None:
            continue
        if name == "temperature" and body[name] == 1:
            continue
        kind = "unsupported_value" if name == "temperature" else "unsupported_parameter"
        raise data_plane_error(
            400,
            kind,
            f"Unsupported {kind.split('_')[1]}: '{name}' is not supported with this model.",
            flavour=flavour,
            param=name,
        )


def _check_format(
    wanted: Any, messages: Sequence[Mapping[str, Any]], flavour: Flavour, where: str
) -> None:
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if kind not in ("text", "json_object", "json_schema"):
        raise bad_request(f"Invalid value for '{where}.type': {kind!r}.", flavour, param=where)
    if kind == "json_object" and not any(
        "json" in flat_text(one.get("content")).lower() for one in messages
    ):
        raise bad_request(
            f"'messages' must contain the word 'json' in some form, to use '{where}' of type 'json_object'.",
            flavour,
            param="messages",
        )
    if kind == "json_schema" and not _has_schema(wanted):
        raise bad_request(
            f"Missing required parameter: '{where}.json_schema'.", flavour, param=where
        )


def _has_schema(wanted: Mapping[str, Any]) -> bool:
    nested = wanted.get("json_schema")
    return "schema" in wanted or (isinstance(nested, Mapping) and bool(nested.get("name")))


def _check_length(
    state: EmulatorState, messages: Sequence[Mapping[str, Any]], flavour: Flavour
) -> None:
    total = sum(token_count(flat_text(one.get("content"))) for one in messages)
    if total > state.switches.context_tokens:
        raise _too_long(state.switches.context_tokens, total, flavour)


def _too_long(most: int, total: int, flavour: Flavour) -> ServiceError:
    return data_plane_error(
        400,
        "context_length_exceeded",
        f"This model's maximum context length is {most} tokens. However, your messages resulted in {total} tokens."
        " Please reduce the length of the messages.",
        flavour=flavour,
        param="messages",
    )
