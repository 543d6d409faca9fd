"""When two answers are alike: the same text but for case and spacing, or at least the same labels.

Only digests of answers are kept, so that whoever holds two of them can compare and nobody can read.
"""

from __future__ import annotations

import unicodedata

import msgspec

from evals.codec import decode
from evals.graders.labels import LabelGrader
from evals.records import INFRASTRUCTURE_OUTCOMES, Case, Record, Response, digest
from evals.suites.opened import OpenedSuite

__all__ = ["AnswerForms", "answer_forms"]


class AnswerForms(Record, frozen=True, kw_only=True):
    """An answer as it is compared: digests of its text, and of the labels that graders find in it, "" without any."""

    text: str
    labels: str = ""

    def by(self, way: str) -> str:
        """Return one of the two by its name."""
        return self.labels if way == "labels" else self.text


def answer_forms(opened: OpenedSuite, case: Case, response: Response) -> AnswerForms | None:
    """Return how an answer is compared with others to the same case; None when none came.

    A refusal, a filtered or a truncated answer is the model's own, and alike to another of its kind alone.
    """
    if response.outcome in INFRASTRUCTURE_OUTCOMES:
        return None
    calls = [_call(call) for call in response.tool_calls or []]
    text = digest([response.outcome, _plain(response.text or ""), calls])
    found = {
        grader.name: [score.predicted for score in grader.grade(case, response)]
        for grader in opened.graders
        if isinstance(grader, LabelGrader)
    }
    return AnswerForms(text=text, labels=digest([response.outcome, found]) if found else "")


def _plain(text: str) -> object:
    """JSON as its data, whatever the spacing and order; any other text folded."""
    try:
        data = decode(text, object)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return data if isinstance(data, dict | list) else " ".join(text.casefold().split())


def _call(call: dict[str, object]) -> object:
    """A tool call without its id, which is another one each time."""
    named = call.get("function")
    if not isinstance(named, dict):
        return {key: value for key, value in call.items() if key != "id"}
    return [named.get("name"), _plain(str(named.get("arguments") or ""))]
