"""The Responses API's own words for what chat completions say: input items, text format, tools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from evals.records import Message

__all__ = ["responses_fields", "responses_input"]


def responses_input(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return the conversation as input items; tool calls and their results become items of their own."""
    return [item for message in messages for item in _items(message)]


def responses_fields(chat: dict[str, Any]) -> dict[str, Any]:
    """Translate the body fields of a chat completion. Answers are not kept by the service (`store` is false)."""
    fields = {name: chat[name] for name in ("temperature", "top_p")}
    fields["max_output_tokens"] = chat["max_completion_tokens"]
    if chat["reasoning_effort"]:
        fields["reasoning"] = {"effort": chat["reasoning_effort"]}
    if chat["response_format"]:
        fields["text"] = {"format": _unwrap(chat["response_format"], "json_schema")}
    if chat["tools"]:
        fields["tools"] = [_unwrap(tool, "function") for tool in chat["tools"]]
    if chat["tool_choice"]:
        fields["tool_choice"] = _choice(chat["tool_choice"])
    return fields | {"store": False}


def _choice(choice: str | dict[str, Any]) -> str | dict[str, Any]:
    return choice if isinstance(choice, str) else _unwrap(choice, "function")


def _unwrap(wrapped: dict[str, Any], key: str) -> dict[str, Any]:
    inner = wrapped.get(key)
    return {"type": wrapped.get("type", key), **inner} if isinstance(inner, dict) else wrapped


def _items(message: Message) -> Iterable[dict[str, Any]]:
    if message.role == "tool":
        yield {
            "type": "function_call_output",
            "call_id": message.tool_call_id,
            "output": message.content,
        }
        return
    if message.content is not None:
        yield {"role": message.role, "content": _content(message)}
    for call in message.tool_calls or ():
        function = call.get("function", {})
        yield {
            "type": "function_call",
            "call_id": call.get("id"),
            "name": function.get("name"),
            "arguments": function.get("arguments"),
        }


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not isinstance(message.content, list):
        return message.content or ""
    text = "output_text" if message.role == "assistant" else "input_text"
    return [_part(part, text) for part in message.content]


def _part(part: dict[str, Any], text: str) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"type": text, "text": part.get("text", "")}
    if part.get("type") == "image_url":
        image = part.get("image_url", {})
        return {"type": "input_image", "image_url": image.get("url")}
    return part
