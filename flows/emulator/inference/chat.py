"""Chat completions on all three addresses: dated, v1 and OpenAI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from flows.emulator.gateway.errors import bad_request
from flows.emulator.gateway.requests import Caller, authenticate, json_body, json_response
from flows.emulator.inference.completions import shown_completion
from flows.emulator.inference.generation import generate
from flows.emulator.inference.parameters import check_chat
from flows.emulator.inference.pipeline import InferencePipeline, last_message_text, service_headers
from flows.emulator.inference.serving import resolve
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["Chat"]


class Chat:
    """Handler of POST …/chat/completions."""

    def __init__(self, state: EmulatorState, pipeline: InferencePipeline) -> None:
        self.state, self.pipeline = state, pipeline

    async def complete(self, request: Request) -> Response:
        """Answer a conversation."""
        caller = authenticate(self.state, request, "data/infer")
        body = await json_body(self.state, request, caller.flavour)
        serving = resolve(self.state, caller, _name(request, body, caller))
        check_chat(self.state, serving, body, caller.flavour)
        messages = body["messages"]
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        headers = self.pipeline.admit(
            serving, messages, limit, caller.flavour, "ChatCompletions_Create"
        )
        headers = service_headers(self.state, caller, serving, headers)
        await self.pipeline.delay(serving, last_message_text(messages))
        wants_json = (body.get("response_format") or {}).get("type") in (
            "json_object",
            "json_schema",
        )
        output = generate(self.state, serving, messages, limit=limit, wants_json=wants_json)
        answer = shown_completion(self.state, caller, serving, body, output)
        if body.get("stream"):
            return StreamingResponse(
                _events(answer, body), media_type="text/event-stream", headers=headers
            )
        return json_response(answer, headers=headers)


def _name(request: Request, body: Mapping[str, Any], caller: Caller) -> str:
    """Return the deployment's name from the path, else the model from the body."""
    name = request.path_params.get("deployment") or body.get("model")
    if not isinstance(name, str) or not name:
        raise bad_request("you must provide a model parameter", caller.flavour, param="model")
    return name


async def _events(answer: dict[str, Any], body: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """Send an answer as a stream: role, text, end, and usage when asked."""
    head = {
        **{name: answer[name] for name in ("id", "created", "model", "system_fingerprint")},
        "object": "chat.completion.chunk",
    }
    for choice in answer["choices"]:
        message, index = choice["message"], choice["index"]
        for delta in ({"role": "assistant", "content": ""}, {"content": message["content"]}):
            yield _event(
                {**head, "choices": [{"index": index, "delta": delta, "finish_reason": None}]}
            )
        yield _event(
            {
                **head,
                "choices": [
                    {"index": index, "delta": {}, "finish_reason": choice["finish_reason"]}
                ],
            }
        )
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _event({**head, "choices": [], "usage": answer["usage"]})
    yield b"data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"
