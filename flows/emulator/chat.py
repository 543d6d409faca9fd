"""Chat completions on all three addresses: dated, v1 and OpenAI."""

from __future__ import annotations

import math
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from flows.emulator.answering import Said, say
from flows.emulator.contentfilter import filter_results, filters_output
from flows.emulator.errors import bad_request
from flows.emulator.inference import Gatekeeper, service_headers, shown_model, tail_text
from flows.emulator.parameters import check_chat
from flows.emulator.requests import Caller, json_body, reply, who
from flows.emulator.serving import Serving, resolve
from flows.emulator.world import World

__all__ = ["Chat"]


class Chat:
    """Handler of POST …/chat/completions."""

    def __init__(self, world: World, gatekeeper: Gatekeeper) -> None:
        self.world, self.gatekeeper = world, gatekeeper

    async def complete(self, request: Request) -> Response:
        """Answer a conversation."""
        caller = who(self.world, request, "data/infer")
        body = await json_body(self.world, request, caller.flavour)
        serving = resolve(self.world, caller, _name(request, body, caller))
        check_chat(self.world, serving, body, caller.flavour)
        messages = body["messages"]
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        headers = self.gatekeeper.admit(
            serving, messages, limit, caller.flavour, "ChatCompletions_Create"
        )
        headers = service_headers(self.world, caller, serving, headers)
        asked = tail_text(messages)
        await self.gatekeeper.delay(serving, asked)
        wants_json = (body.get("response_format") or {}).get("type") in (
            "json_object",
            "json_schema",
        )
        said = say(self.world, serving, messages, limit=limit, wants_json=wants_json)
        answer = self._shown(caller, serving, body, said, asked)
        if body.get("stream"):
            return StreamingResponse(
                _events(answer, body), media_type="text/event-stream", headers=headers
            )
        return reply(answer, headers=headers)

    def _shown(
        self, caller: Caller, serving: Serving, body: Mapping[str, Any], said: Said, asked: str
    ) -> dict[str, Any]:
        filtered = filters_output(self.world, asked)
        shown: dict[str, Any] = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "object": "chat.completion",
            "created": int(self.world.clock.now()),
            "model": shown_model(self.world, serving),
            "system_fingerprint": "fp_" + serving.model_id[-10:]
            if self.world.switches.system_fingerprint
            else None,
            "choices": [
                self._choice(n, caller, body, said, filtered) for n in range(body.get("n") or 1)
            ],
            "usage": _usage(said, body.get("n") or 1),
        }
        if caller.flavour == "azure":
            results = filter_results(self.world, filtered=False, prompt=True)
            if results is not None:
                shown["prompt_filter_results"] = [
                    {"prompt_index": 0, "content_filter_results": results}
                ]
        return shown

    def _choice(
        self, number: int, caller: Caller, body: Mapping[str, Any], said: Said, filtered: bool
    ) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if said.tool_calls else "" if filtered else said.text,
            "refusal": None,
            "annotations": [],
        }
        if said.tool_calls:
            message["tool_calls"] = said.tool_calls
        choice: dict[str, Any] = {
            "index": number,
            "finish_reason": "content_filter" if filtered else said.finish_reason,
            "logprobs": _logprobs(said, body),
            "message": message,
        }
        if caller.flavour == "azure":
            results = filter_results(self.world, filtered=filtered, prompt=False)
            if results is not None:
                choice["content_filter_results"] = results
        return choice


def _name(request: Request, body: Mapping[str, Any], caller: Caller) -> str:
    """Return the deployment's name from the path, else the model from the body."""
    name = request.path_params.get("deployment") or body.get("model")
    if not isinstance(name, str) or not name:
        raise bad_request("you must provide a model parameter", caller.flavour, param="model")
    return name


def _usage(said: Said, choices: int) -> dict[str, Any]:
    completion = said.completion_tokens * choices
    return {
        "prompt_tokens": said.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": said.prompt_tokens + completion,
        "prompt_tokens_details": {"cached_tokens": said.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _logprobs(said: Said, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return token log-probabilities: the head's confidence, spread over four-character tokens."""
    if not body.get("logprobs"):
        return None
    tokens = [said.text[start : start + 4] for start in range(0, len(said.text), 4)]
    from_confidence = max(-20.0, min(0.0, _log(said.confidence) / max(1, len(tokens))))
    content = []
    for token in tokens:
        one = {"token": token, "logprob": from_confidence, "bytes": list(token.encode())}
        content.append({**one, "top_logprobs": [one] if body.get("top_logprobs") else []})
    return {"content": content, "refusal": None}


def _log(confidence: float) -> float:
    return math.log(max(confidence, 1e-9))


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
    return b"data: " + orjson.dumps(data) + b"\n\n"
