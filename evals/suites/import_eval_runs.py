"""What a run of an OpenAI eval asks, in a suite's words: its messages and how they are sampled.

Evals write messages in the Responses API's words, suites in those of chat completions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.cases.templates import TemplateError, lookup, parse_path
from evals.config.documents import shown_path
from evals.errors import Problem

__all__ = ["DataSourceReader", "judge_notes"]

_TEXTS = ("input_text", "output_text", "text")
_KEPT = ("role", "content", "name", "tool_calls", "tool_call_id")
_SAMPLING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "reasoning_effort": "reasoning_effort",
    "max_completion_tokens": "max_completion_tokens",
    "max_completions_tokens": "max_completion_tokens",
    "max_output_tokens": "max_completion_tokens",
    "max_tokens": "max_completion_tokens",
}
_GRADING_ONLY = ("jsonl", "logs", "stored_completions")
_EMBEDDING_MODEL = "text-embedding-3-large"


class DataSourceReader:
    """Reads a run's `data_source`. What can't be asked here is added to `problems`, what is left out to `notes`."""

    def __init__(
        self, path: Path, source: Mapping[str, Any], problems: list[Problem], notes: list[str]
    ) -> None:
        self._path = path
        self._source = source
        self._problems = problems
        self._notes = notes
        self._given = source.get("input_messages") or {}
        self._params = source.get("sampling_params") or {}

    def prompt(self, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]] | None:
        """Return the prompt of all cases; None where every item holds its own messages, or where there is none."""
        if self._reference is not None:
            if any(self._own(item) is None for item in items):
                self._note(f"item.{self._reference}", "expected messages in every item")
            return None
        template = self._given.get("template")
        if template:
            return [self._message(message) for message in template]
        kind = self._source.get("type")
        message = (
            f"expected a run that asked a model; found one of type '{kind}', which grades given answers"
            if kind in _GRADING_ONLY
            else "an eval says how to grade; expected a run that says what to ask, found none"
        )
        self._note("data_source.input_messages", message, "pass the JSON of a run of this eval")
        return None

    def messages(self, item: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """Return the item's own messages, where the run refers to them."""
        own = None if self._reference is None else self._own(item)
        return None if own is None else [self._message(message) for message in own]

    def settings(self) -> dict[str, Any]:
        """Return `sampling`, `response_format` and `tools` of a suite, as far as the run says them."""
        params = {name: value for name, value in self._params.items() if value is not None}
        sampling = {_SAMPLING[name]: params.pop(name) for name in list(params) if name in _SAMPLING}
        reasoning, text = params.pop("reasoning", None), params.pop("text", None)
        if reasoning and reasoning.get("effort"):
            sampling["reasoning_effort"] = reasoning["effort"]
        form = params.pop("response_format", None)
        if text:
            form = text.get("format")
        tools = params.pop("tools", None) or []
        self._notes += [f"the run's sampling parameter '{name}' is left out" for name in params]
        if self._source.get("type") == "responses":
            self._notes.append(
                "the run spoke the Responses API: in a target, sampling: {api: responses}"
            )
        found = {
            "sampling": sampling,
            "response_format": _form(form),
            "tools": [_tool(tool) for tool in tools],
        }
        return {name: value for name, value in found.items() if value}

    @property
    def _reference(self) -> str | None:
        if self._given.get("type") != "item_reference":
            return None
        return str(self._given.get("item_reference", "")).removeprefix("item.")

    def _own(self, item: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        try:
            found = lookup(parse_path(self._reference or ""), item)
        except TemplateError:
            return None
        whole = isinstance(found, list) and found and all(isinstance(one, dict) for one in found)
        return found if whole else None

    def _message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        kept = {name: message[name] for name in _KEPT if message.get(name) is not None}
        content = message.get("content")
        return {"role": "user", **kept, "content": self._content(content)}

    def _content(self, content: Any) -> Any:
        parts = content if isinstance(content, list) else [content]
        texts = [part.get("text") if _is_text(part) else part for part in parts]
        if all(isinstance(text, str) for text in texts):
            return "\n".join(texts)
        if content is not None and not all(_is_chat(part) for part in parts):
            what = "expected text; pictures and sound can't be imported"
            self._note("data_source.input_messages", what)
        return content

    def _note(self, field: str, message: str, fix: str | None = None) -> None:
        problem = Problem(where=shown_path(self._path), field=field, message=message, fix=fix)
        if problem not in self._problems:
            self._problems.append(problem)


def judge_notes(graders: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say which models graders ask, because a target has to name them."""
    asking: dict[str, list[str]] = {}
    for grader in graders:
        for model in dict.fromkeys(_asked(grader)):
            asking.setdefault(model, []).append(grader["name"])
    for model, names in asking.items():
        verb = "asks" if len(names) == 1 else "ask"
        yield f"{', '.join(names)} {verb} {model}: a target has to name it, judge: {{model: {model}}}"


def _asked(grader: Mapping[str, Any]) -> Iterator[str]:
    parts = grader.get("graders")
    for part in [grader, *(parts.values() if isinstance(parts, dict) else ())]:
        if not isinstance(part, dict):
            continue
        if part.get("type") in ("score_model", "label_model"):
            yield str(part.get("model"))
        elif part.get("evaluation_metric") == "cosine":
            yield str(part.get("model", _EMBEDDING_MODEL))


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in _TEXTS


def _is_chat(part: Any) -> bool:
    """Whether a part is one that chat completions know."""
    return isinstance(part, dict) and part.get("type") in ("text", "image_url", "refusal")


def _form(form: dict[str, Any] | None) -> dict[str, Any] | None:
    """A response format in the words of chat completions."""
    if form is None or form.get("type") == "text":
        return None
    if form.get("type") != "json_schema" or "json_schema" in form:
        return form
    inner = {name: value for name, value in form.items() if name != "type"}
    return {"type": "json_schema", "json_schema": inner}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool in the words of chat completions."""
    if tool.get("type") != "function" or "function" in tool:
        return tool
    inner = {name: value for name, value in tool.items() if name != "type"}
    return {"type": "function", "function": inner}
