"""The texts of a conversation that models are trained on and asked with: system prompt, question and answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Example", "flat_text", "question", "system_prompt"]


@dataclass(frozen=True, slots=True)
class Example:
    """One training example: the system prompt, what the user said, and the answer.

    `answer` is the assistant's text; an answer that is a tool call is its JSON, `{"tool_calls": […]}`.
    """

    prompt: str
    question: str
    answer: str


def flat_text(content: Any) -> str:
    """Return the text of a message's content: a string, or a list of parts of which the texts are joined."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, Sequence):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, Mapping))
    return "\n".join(text for text in texts if isinstance(text, str))


def system_prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the system (or developer) text of a conversation, stripped; '' when there is none."""
    texts = (
        flat_text(one.get("content"))
        for one in messages
        if one.get("role") in ("system", "developer")
    )
    return "\n".join(texts).strip()


def question(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return what has to be answered: the user's last message, after the earlier turns."""
    turns = [
        flat_text(one.get("content"))
        for one in messages
        if one.get("role") in ("user", "assistant", "tool")
    ]
    return "\n".join(turn for turn in turns if turn)
