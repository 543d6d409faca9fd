"""The report for programs: the outcome in words, and all facts unrounded, as JSON that keeps its shape and order."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec

from evals.errors import ConfigurationError, Problem
from evals.report.facts import RunFacts
from evals.report.view import ReportView

__all__ = ["FORMAT", "read_facts", "render_json"]

FORMAT = "gatewright-report/1"
TEXT_LIMIT = 20_000


def render_json(facts: RunFacts, view: ReportView) -> str:
    """Return the report as JSON: keys sorted, ASCII only (no terminal can be steered by it), texts cut at 20,000.

    A number that is none (NaN, infinity) is null, as JSON knows no other word for it.
    """
    document = {
        "format": FORMAT,
        "answer": {
            "state": view.headline.state,
            "word": view.headline.word,
            "sentence": view.headline.sentence,
            "live_now": view.headline.live,
        },
        "facts": _plain(msgspec.to_builtins(facts)),
    }
    return json.dumps(document, sort_keys=True, ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def read_facts(path: Path) -> RunFacts:
    """Read the facts back from a report.json, to word them again.

    Raises:
        ConfigurationError: when the file is missing or no report of this format.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("format") != FORMAT:
            raise ValueError(f"expected the format {FORMAT}; found {document.get('format')!r}")
        return msgspec.convert(document["facts"], RunFacts)
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise ConfigurationError(
            Problem(
                where=str(path), message=f"expected a report; {error}", fix="write the report again"
            )
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, dict):
        return {_cut(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _cut(text: str) -> str:
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{text[:TEXT_LIMIT]}… (the first {TEXT_LIMIT:,} of {len(text):,} characters)"
