"""The report for programs: the outcome in words, and all facts unrounded, as JSON that keeps its shape and order."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from evals.report.facts import RunFacts
from evals.report.view import ReportView

__all__ = ["FORMAT", "render_json"]

FORMAT = "gatewright-report/1"
TEXT_LIMIT = 20_000


def render_json(facts: RunFacts, view: ReportView) -> str:
    """Return the report as JSON: keys sorted, ASCII only (no terminal can be steered by it), texts cut at 20,000.

    A number that is none (NaN, infinity) is null, as JSON knows no other word for it.
    """
    plain = msgspec.to_builtins(facts)
    if facts.next_steps:
        # Programs read these as text since the first report of this format.
        plain["next_steps"] = [f"{step.command}   {step.effect}" for step in facts.next_steps]
    document = {
        "format": FORMAT,
        "answer": {
            "state": view.headline.state,
            "word": view.headline.word,
            "sentence": view.headline.sentence,
            "live_now": view.headline.live,
        },
        "facts": _plain(plain),
    }
    return json.dumps(document, sort_keys=True, ensure_ascii=True, allow_nan=False, indent=1) + "\n"


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
