"""The Responses API: the same models behind another envelope."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flows.emulator.gateway.errors import bad_request, not_found
from flows.emulator.gateway.requests import authenticate, json_body, json_response
from flows.emulator.inference.content_filter import filters_output
from flows.emulator.inference.generation import ModelOutput, generate
from flows.emulator.inference.parameters import check_responses
from flows.emulator.inference.pipeline import (
    InferencePipeline,
    last_message_text,
    service_headers,
    shown_model,
)
from flows.emulator.inference.serving import Serving, resolve
from flows.emulator.state.documents import Flavour
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["Responses"]

_KEPT = 1_000
Messages = list[dict[str, Any]]


class Responses:
    """Handlers of `/responses`. Stored conversations are kept in memory only."""

    def __init__(self, state: EmulatorState, pipeline: InferencePipeline) -> None:
        self.state, self.pipeline = state, pipeline
        self._kept: OrderedDict[str, tuple[dict[str, Any], Messages]] = OrderedDict()

    async def create(self, request: Request) -> Response:
        """POST /responses."""
        caller = authenticate(self.state, request, "data/infer")
        body = await json_body(self.state, request, caller.flavour)
        serving = resolve(self.state, caller, _model_name(body, caller.flavour))
        messages = self._messages(body, caller.flavour)
        check_responses(self.state, serving, body, messages, caller.flavour)
        limit = body.get("max_output_tokens")
        headers = self.pipeline.admit(serving, messages, limit, caller.flavour, "Responses_Create")
        await self.pipeline.delay(serving, last_message_text(messages))
        wanted = (body.get("text") or {}).get("format") or {}
        output = generate(
            self.state,
            serving,
            messages,
            limit=limit,
            wants_json=wanted.get("type", "text") != "text",
        )
        answer = self._shown(
            serving, body, output, filters_output(self.state, last_message_text(messages))
        )
        if body.get("store", True):
            self._keep(answer, [*messages, {"role": "assistant", "content": output.text}])
        return json_response(answer, headers=service_headers(self.state, caller, serving, headers))

    async def get(self, request: Request) -> Response:
        """GET /responses/{id}."""
        caller = authenticate(self.state, request, "data/infer")
        key = request.path_params["response"]
        if key not in self._kept:
            raise not_found("response", key, caller.flavour)
        return json_response(self._kept[key][0])

    def _messages(self, body: Mapping[str, Any], flavour: Flavour) -> Messages:
        """Turn `instructions`, a previous response and `input` into chat messages."""
        messages: Messages = []
        if body.get("instructions"):
            messages.append({"role": "system", "content": body["instructions"]})
        previous = body.get("previous_response_id")
        if previous is not None:
            if previous not in self._kept:
                raise not_found("response", str(previous), flavour)
            messages += [one for one in self._kept[previous][1] if one["role"] != "system"]
        given = body.get("input")
        if isinstance(given, str) and given:
            return [*messages, {"role": "user", "content": given}]
        if not isinstance(given, list) or not given:
            raise bad_request("Missing required parameter: 'input'.", flavour, param="input")
        for number, item in enumerate(given):
            if not isinstance(item, dict) or "role" not in item:
                raise bad_request(
                    f"Invalid value for 'input[{number}]': expected a message.",
                    flavour,
                    param="input",
                )
            messages.append({"role": item["role"], "content": item.get("content")})
        return messages

    def _shown(
        self, serving: Serving, body: Mapping[str, Any], output: ModelOutput, filtered: bool
    ) -> dict[str, Any]:
        reason = (
            "content_filter"
            if filtered
            else "max_output_tokens"
            if output.finish_reason == "length"
            else None
        )
        text = "" if filtered else output.text
        return {
            "id": f"resp_{secrets.token_hex(24)}",
            "object": "response",
            "created_at": int(self.state.clock.now()),
            "status": "incomplete" if reason else "completed",
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "instructions": body.get("instructions"),
            "model": shown_model(self.state, serving),
            "output": _output(output, text, reason),
            "parallel_tool_calls": True,
            "previous_response_id": body.get("previous_response_id"),
            "temperature": body.get("temperature", 1.0),
            "top_p": body.get("top_p", 1.0),
            "tool_choice": body.get("tool_choice", "auto"),
            "tools": body.get("tools") or [],
            "metadata": body.get("metadata") or {},
            "text": body.get("text") or {"format": {"type": "text"}},
            "usage": {
                "input_tokens": output.prompt_tokens,
                "input_tokens_details": {"cached_tokens": output.cached_tokens},
                "output_tokens": output.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": output.prompt_tokens + output.completion_tokens,
            },
        }

    def _keep(self, answer: dict[str, Any], messages: Messages) -> None:
        self._kept[answer["id"]] = (answer, messages)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


def _model_name(body: Mapping[str, Any], flavour: Flavour) -> str:
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise bad_request("Missing required parameter: 'model'.", flavour, param="model")
    return name


def _output(output: ModelOutput, text: str, reason: str | None) -> list[dict[str, Any]]:
    if output.tool_calls:
        return [
            {
                "type": "function_call",
                "id": f"fc_{secrets.token_hex(12)}",
                "call_id": call.get("id", ""),
                "name": call.get("function", {}).get("name", ""),
                "arguments": call.get("function", {}).get("arguments", ""),
                "status": "completed",
            }
            for call in output.tool_calls
        ]
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return [
        {
            "type": "message",
            "id": f"msg_{secrets.token_hex(12)}",
            "role": "assistant",
            "status": "incomplete" if reason else "completed",
            "content": content,
        }
    ]
