"""Reads model answers: which are the model's own failures, which are JSON, and what stands in a field of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from evals.cases.templates import TemplateError, lookup, parse_path
from evals.codec import decode
from evals.records import Response

__all__ = [
    "NOTHING",
    "answer_with",
    "at",
    "fault",
    "json_equal",
    "parse_answer",
    "same_text",
    "simplified",
]

_FAULTS = {
    "refused": "the model refused",
    "truncated": "the answer was cut off at the token limit",
    "content_filtered": "the answer was filtered",
}


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Nothing()
"""Stands for a value that isn't there, since None is a value of JSON."""


def fault(response: Response) -> str | None:
    """Return why the response is a failure of the model whatever its text says; None when it is an answer."""
    if response.outcome in _FAULTS:
        return _FAULTS[response.outcome]
    if response.text is None and not response.tool_calls:
        return "the answer is empty"
    return None


@lru_cache(maxsize=256)
def parse_answer(text: str | None) -> Any:
    """Return an answer as JSON data, or NOTHING when it isn't strict JSON. The data is shared: don't change it.

    Several graders read the same answer one after the other, so a small cache saves most of the parsing.
    """
    if text is None:
        return NOTHING
    try:
        return decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return NOTHING


def at(data: Any, path: str) -> Any:
    """Return what stands at a dotted path of JSON data, or NOTHING."""
    if isinstance(data, dict) and path in data:
        return data[path]
    try:
        return lookup(parse_path(path), data)
    except TemplateError:
        return NOTHING


def answer_with(value: Any, field: str | None) -> str:
    """Return an answer that says just this value: the whole text, or the one field of a JSON object."""
    return same_text(value) if field is None else same_text({field: value})


def json_equal(left: Any, right: Any) -> bool:
    """Compare as JSON does: true is not 1, 1 is 1.0, the order of keys doesn't matter and that of lists does."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            json_equal(value, right[key]) for key, value in left.items()
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(json_equal, left, right))
    return bool(left == right)


def same_text(value: Any) -> str:
    """Return a value as the text it is compared by: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def simplified(value: Any) -> Any:
    """Return text, also inside lists and objects, without surrounding space and without case."""
    if isinstance(value, str):
        return " ".join(value.split()).casefold()
    if isinstance(value, list):
        return [simplified(item) for item in value]
    if isinstance(value, dict):
        return {key: simplified(item) for key, item in value.items()}
    return value
