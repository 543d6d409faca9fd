"""Single cases with both models' answers, cut and cleaned for showing; answers that are JSON objects field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from evals.report.facts import Example, ExampleKind, RunFacts
from evals.report.numbers import counted, figure
from evals.report.sanitise import Excerpt, excerpt, one_line
from evals.report.sections.regression import role_names

__all__ = ["ExampleGroup", "ExampleView", "FieldRow", "example_groups"]

TEXT_LIMIT = 4000
SHOWN_OF_A_KIND = 25
MAX_FIELDS = 12

_KINDS: dict[ExampleKind, tuple[str, str]] = {
    "regression": ("Regressions", "The baseline did better than the candidate."),
    "error": (
        "Not comparable",
        "An answer is missing or could not be scored, so the pair does not count.",
    ),
    "both_wrong": (
        "Wrong in both",
        "Neither model gives what is expected; worth a look at the case itself.",
    ),
    "improvement": ("Improvements", "The candidate does better than the baseline."),
}
_OVER_TIME: dict[ExampleKind, tuple[str, str]] = {
    **_KINDS,
    "regression": ("Worse than the reference", "The reference answer was better than today's."),
    "both_wrong": (
        "Wrong both times",
        "Neither answer is what is expected; worth a look at the case itself.",
    ),
    "improvement": ("Better than the reference", "Today's answer is better than the reference's."),
}
_WRONG = (
    "Wrong",
    "Today's answer is not what is expected; there is no reference to compare it with.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """One field of a JSON answer; the marks are '✓ ' or '✕ ' and belong to the answer that follows them."""

    name: str
    expected: str
    baseline: str
    candidate: str
    baseline_right: bool | None
    candidate_right: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleView:
    """One case. `fields` is empty when an answer is no plain JSON object; then the texts are shown as they came."""

    case_id: str
    suite: str
    where: str
    tags: str
    grader: str
    prompt: Excerpt
    expected: Excerpt | None
    baseline: Excerpt | None
    candidate: Excerpt | None
    baseline_score: str
    candidate_score: str
    baseline_reason: str
    candidate_reason: str
    fields: tuple[FieldRow, ...]

    @property
    def summary(self) -> str:
        """The first words of what was asked."""
        return one_line(self.prompt.text, 110)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleGroup:
    """All shown examples of a kind; `more` says how many were left out, "" when none."""

    kind: ExampleKind
    title: str
    lead: str
    examples: tuple[ExampleView, ...]
    more: str


def example_groups(facts: RunFacts) -> tuple[ExampleGroup, ...]:
    """Group the examples by kind, what speaks against the candidate first; empty kinds are left out."""
    return tuple(_groups(facts))


def _groups(facts: RunFacts) -> Iterator[ExampleGroup]:
    journals: dict[tuple[str, str], str] = {
        (trace.suite, trace.role): trace.journal for trace in facts.traces
    }
    kinds = _OVER_TIME if facts.kind == "regression" else _KINDS
    for kind, (title, lead) in kinds.items():
        found = [example for example in facts.examples if example.kind == kind]
        if not found:
            continue
        if kind == "both_wrong" and not role_names(facts)[1]:
            title, lead = _WRONG
        hidden = len(found) - SHOWN_OF_A_KIND
        yield ExampleGroup(
            kind=kind,
            title=title,
            lead=lead,
            examples=tuple(_example(example, journals) for example in found[:SHOWN_OF_A_KIND]),
            more="" if hidden <= 0 else f"{counted(hidden, 'more example')} in report.json.",
        )


def _example(example: Example, journals: dict[tuple[str, str], str]) -> ExampleView:
    files = [journals.get((example.suite, role)) for role in ("candidate", "baseline")]
    return ExampleView(
        case_id=one_line(example.case_id, 120),
        suite=one_line(example.suite, 120),
        where=", ".join(one_line(name, 200) for name in files if name),
        tags=", ".join(
            f"{one_line(tag, 60)} = {one_line(value, 60)}"
            for tag, value in sorted(example.tags.items())
        ),
        grader=one_line(example.grader, 120),
        prompt=excerpt(example.prompt, TEXT_LIMIT),
        expected=_text(example.expected),
        baseline=_text(example.baseline_text),
        candidate=_text(example.candidate_text),
        baseline_score=figure(example.baseline_score, "score", 2),
        candidate_score=figure(example.candidate_score, "score", 2),
        baseline_reason=one_line(example.baseline_reason),
        candidate_reason=one_line(example.candidate_reason),
        fields=_fields(example),
    )


def _text(text: str | None) -> Excerpt | None:
    return None if text is None else excerpt(text, TEXT_LIMIT)


def _fields(example: Example) -> tuple[FieldRow, ...]:
    expected, candidate = _object(example.expected), _object(example.candidate_text)
    baseline = _object(example.baseline_text) if example.baseline_text is not None else {}
    if not expected or candidate is None or baseline is None or len(expected) > MAX_FIELDS:
        return ()
    if not set(candidate) | set(baseline) <= set(expected):
        return ()
    return tuple(
        FieldRow(
            name=one_line(name, 60),
            expected=wanted,
            baseline=baseline.get(name, "–"),
            candidate=candidate.get(name, "–"),
            baseline_right=baseline.get(name) == wanted if baseline else None,
            candidate_right=candidate.get(name) == wanted,
        )
        for name, wanted in expected.items()
    )


def _object(text: str | None) -> dict[str, str] | None:
    """The fields of a flat JSON object as short texts; None for anything else."""
    if text is None or len(text) > TEXT_LIMIT or not text.lstrip().startswith("{"):
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or any(isinstance(value, dict | list) for value in data.values()):
        return None
    return {
        name: one_line(value if isinstance(value, str) else json.dumps(value), 200)
        for name, value in data.items()
    }
