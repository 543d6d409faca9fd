"""Training files: chat-format JSON lines -> examples, with the errors a fine-tuning service reports.

A supervised line is {"messages": […]}; a preference line is {"input": {"messages"}, "preferred_output": […]}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flows.emulator.models.conversation import Example, flat_text, question, system_prompt

__all__ = ["InvalidTrainingFile", "read_examples"]

_ROLES = {"system", "developer", "user", "assistant", "tool"}


class InvalidTrainingFile(ValueError):  # noqa: N818 - the service's own word, `invalid_training_file`
    """A training file that the service would refuse; the message names the lines."""


def read_examples(data: bytes, *, minimum: int, method: str = "supervised") -> list[Example]:
    """Read a training file. Raises InvalidTrainingFile naming every bad line (at most ten)."""
    examples: list[Example] = []
    problems: list[str] = []
    text = data.decode("utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            examples.append(_example(line, method))
        except InvalidTrainingFile as error:
            problems.append(f"line {number}: {error}")
    if problems:
        more = f" (and {len(problems) - 10} more)" if len(problems) > 10 else ""
        raise InvalidTrainingFile(
            f"The job failed due to an invalid training file. Invalid file format: {'; '.join(problems[:10])}{more}"
        )
    if len(examples) < minimum:
        raise InvalidTrainingFile(
            f"Training file has {len(examples)} example(s), but must have at least {minimum} examples"
        )
    return examples


def _example(line: str, method: str) -> Example:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidTrainingFile(f"not valid JSON ({error.msg} at column {error.colno})") from None
    if not isinstance(row, dict):
        raise InvalidTrainingFile("expected a JSON object")
    if method == "dpo":
        return _preference(row)
    messages = _checked(row.get("messages"))
    if messages[-1]["role"] != "assistant":
        raise InvalidTrainingFile("the last message must be from the assistant")
    return Example(system_prompt(messages[:-1]), question(messages[:-1]), _answer(messages[-1]))


def _preference(row: dict[str, Any]) -> Example:
    given = row.get("input")
    asked_messages = _checked(given.get("messages") if isinstance(given, dict) else None)
    preferred = _checked(row.get("preferred_output"))
    _checked(row.get("non_preferred_output"))
    return Example(system_prompt(asked_messages), question(asked_messages), _answer(preferred[-1]))


def _checked(messages: Any) -> list[dict[str, Any]]:
    if not isinstance(messages, list) or not messages:
        raise InvalidTrainingFile('expected a non-empty list of "messages"')
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise InvalidTrainingFile("every message needs a known role")
        if message["role"] != "assistant" and not flat_text(message.get("content")):
            raise InvalidTrainingFile(f"a {message['role']} message has no content")
    return messages


def _answer(message: Mapping[str, Any]) -> str:
    if message.get("tool_calls"):
        return json.dumps({"tool_calls": message["tool_calls"]}, ensure_ascii=False)
    text = flat_text(message.get("content"))
    if not text:
        raise InvalidTrainingFile("the assistant message has no content")
    return text
