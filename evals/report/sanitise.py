"""Makes foreign text safe to show: what a model says may hold terminal escapes, bidi overrides, or a megabyte of it.

Escaping for HTML, Markdown and XML is each page's own work; this is what all of them need first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from evals.codec import convert

__all__ = ["Excerpt", "clean", "cleaned", "excerpt", "one_line", "shorten"]

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)"  # OSC, DCS and kin
    r"|\x1b[ -/]*[0-~]?"  # any other escape
)
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, and C1
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"  # bidi controls, zero-width
    "\u00ad\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"  # soft hyphen, annotations, no characters at all
    "\U000e0000-\U000e0fff]"  # invisible tag characters, used to smuggle instructions
)
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\u0085]")

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A text fit to be shown, and what was done to it ("" when nothing was)."""

    text: str
    note: str = ""


def clean(text: str) -> str:
    """Return `text` without escapes, control characters, bidi controls and characters nobody can see."""
    return _UNSEEN.sub("", _ESCAPES.sub("", _LINE_ENDS.sub("\n", text)))


def one_line(text: str, limit: int = 300) -> str:
    """Return `text` clean, on one line, at most `limit` characters long."""
    return shorten(" ".join(clean(text[: 4 * limit]).split()), limit)


def shorten(text: str, limit: int) -> str:
    """Return `text`, cut with an ellipsis to at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def excerpt(text: str, limit: int) -> Excerpt:
    """Return the first `limit` characters of `text`, clean, with a note that says what is missing."""
    window = text[: 2 * limit]
    shown = clean(window)
    hidden = len(_LINE_ENDS.sub("\n", window)) - len(shown)
    notes = []
    if hidden:
        notes.append(f"{_counted(hidden, 'control or invisible character')} removed")
    if len(shown) > limit or len(text) > len(window):
        shown = shown[:limit]
        notes.append(f"the first {len(shown):,} of {len(text):,} characters")
    return Excerpt(text=shown, note="; ".join(notes))


def cleaned(record: T, limit: int = 2000) -> T:
    """Return `record` with every text in it clean and at most `limit` characters long, keys of mappings too."""
    plain = _walk(msgspec.to_builtins(record), limit)
    return convert(plain, type(record))


def _walk(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return shorten(clean(value[: 2 * limit]), limit)
    if isinstance(value, dict):
        return {_walk(key, limit): _walk(item, limit) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_walk(item, limit) for item in value]
    return value


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
