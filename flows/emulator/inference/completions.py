"""The chat completion object, as Azure (with filter results) and OpenAI show it."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from typing import Any

from flows.emulator.gateway.requests import Caller
from flows.emulator.inference.content_filter import filter_results, filters_output
from flows.emulator.inference.generation import ModelOutput
from flows.emulator.inference.pipeline import last_message_text, shown_model
from flows.emulator.inference.serving import Serving
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["shown_completion"]


def shown_completion(
    state: EmulatorState,
    caller: Caller,
    serving: Serving,
    body: Mapping[str, Any],
    output: ModelOutput,
) -> dict[str, Any]:
    """Return a chat completion, without its text when the content filter takes it out."""
    filtered = filters_output(state, last_message_text(body["messages"]))
    shown: dict[str, Any] = {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": int(state.clock.now()),
        "model": shown_model(state, serving),
        "system_fingerprint": f"fp_{serving.model_id[-10:]}{state.switches.fingerprint_suffix}"
        if state.switches.system_fingerprint
        else None,
        "choices": [
            _choice(state, n, caller, body, output, filtered) for n in range(body.get("n") or 1)
        ],
        "usage": _usage(output, body.get("n") or 1),
    }
    if caller.flavour == "azure":
        results = filter_results(state, filtered=False, prompt=True)
        if results is not None:
            shown["prompt_filter_results"] = [
                {"prompt_index": 0, "content_filter_results": results}
            ]
    return shown


def _choice(
    state: EmulatorState,
    number: int,
    caller: Caller,
    body: Mapping[str, Any],
    output: ModelOutput,
    filtered: bool,
) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if output.tool_calls else "" if filtered else output.text,
        "refusal": None,
        "annotations": [],
    }
    if output.tool_calls:
        message["tool_calls"] = output.tool_calls
    choice: dict[str, Any] = {
        "index": number,
        "finish_reason": "content_filter" if filtered else output.finish_reason,
        "logprobs": _logprobs(output, body),
        "message": message,
    }
    if caller.flavour == "azure":
        results = filter_results(state, filtered=filtered, prompt=False)
        if results is not None:
            choice["content_filter_results"] = results
    return choice


def _usage(output: ModelOutput, choices: int) -> dict[str, Any]:
    completion = output.completion_tokens * choices
    return {
        "prompt_tokens": output.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": output.prompt_tokens + completion,
        "prompt_tokens_details": {"cached_tokens": output.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _logprobs(output: ModelOutput, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return token log-probabilities: the head's confidence, spread over four-character tokens."""
    if not body.get("logprobs"):
        return None
    tokens = [output.text[start : start + 4] for start in range(0, len(output.text), 4)]
    from_confidence = max(-20.0, min(0.0, _log(output.confidence) / max(1, len(tokens))))
    content = []
    for token in tokens:
        one = {"token": token, "logprob": from_confidence, "bytes": list(token.encode())}
        content.append({**one, "top_logprobs": [one] if body.get("top_logprobs") else []})
    return {"content": content, "refusal": None}


def _log(confidence: float) -> float:
    return math.log(max(confidence, 1e-9))
