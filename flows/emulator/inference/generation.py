"""One answer of a model: the text or tool calls, why it ended, and the tokens it took. Shared by all inference APIs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.emulator.inference.serving import Serving
from flows.emulator.models.conversation import flat_text, question, system_prompt
from flows.emulator.models.priors import base_answer
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["ModelOutput", "generate", "token_count"]

_TOKENS_PER_MESSAGE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """An answer of a model. `confidence` is that of the classifier, 0.5 for a base model."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    confidence: float
    tool_calls: list[dict[str, Any]] | None = None


def token_count(text: str) -> int:
    """Return a plausible number of tokens: a quarter of the characters, at least one."""
    return max(1, (len(text) + 3) // 4)


def generate(
    state: EmulatorState,
    serving: Serving,
    messages: Sequence[Mapping[str, Any]],
    *,
    limit: int | None = None,
    wants_json: bool = False,
) -> ModelOutput:
    """Answer a conversation. `limit` cuts the answer at so many tokens."""
    prompt, user_text = system_prompt(messages), question(messages)
    text, confidence = _answer(state, serving, prompt, _as_read(state, user_text), wants_json)
    prompt_tokens = sum(
        token_count(flat_text(one.get("content"))) + _TOKENS_PER_MESSAGE for one in messages
    )
    tool_calls = _tool_calls(text)
    if tool_calls is not None:
        text, finish = "", "tool_calls"
        tokens = token_count(json.dumps(tool_calls))
    else:
        text, tokens, finish = _cut(text, limit)
    cached = state.chance("cached", state.switches.cached_token_rate, prompt, user_text)
    return ModelOutput(
        text=text,
        finish_reason=finish,
        prompt_tokens=prompt_tokens,
        completion_tokens=tokens,
        cached_tokens=prompt_tokens // 128 * 128 if cached else 0,
        confidence=confidence,
        tool_calls=tool_calls,
    )


def _as_read(state: EmulatorState, user_text: str) -> str:
    """The question, or its second half where the same call is to be answered now like this and now like that."""
    if not state.chance("varied", state.switches.varied_answer_rate):
        return user_text
    return user_text[len(user_text) // 2 :]


def _answer(
    state: EmulatorState, serving: Serving, prompt: str, user_text: str, wants_json: bool
) -> tuple[str, float]:
    if serving.artifact is not None:
        answer = state.model_cache.answer(serving.artifact, prompt, user_text)
        return answer.text, answer.confidence
    text = base_answer(
        state, serving.account, serving.base, prompt, user_text,
        may_break=not (wants_json and state.switches.base_keeps_json_mode),
    )  # fmt: skip
    return text, 0.5


def _cut(text: str, limit: int | None) -> tuple[str, int, str]:
    tokens = token_count(text)
    if limit is None or tokens <= limit:
        return text, tokens, "stop"
    return text[: 4 * limit], limit, "length"


def _tool_calls(text: str) -> list[dict[str, Any]] | None:
    if not text.startswith('{"tool_calls":'):
        return None
    try:
        calls = json.loads(text)["tool_calls"]
    except (ValueError, KeyError):
        return None
    return calls if isinstance(calls, list) else None
