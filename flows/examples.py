"""Picks the cases a reader of a report wants to see: where candidate and baseline differ, and where both are wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from evals.opening import OpenedSuite
from evals.policy import GatePolicy
from evals.records import INFRASTRUCTURE_OUTCOMES, Case, Response, Role, Score
from evals.report.facts import Example
from flows.opening import OpenRun

__all__ = ["examples_of", "primary_column"]

MOST_OF_A_KIND = 12


def primary_column(policy: GatePolicy, opened: OpenedSuite) -> str:
    """The first column of scores in [0, 1] that the gate looks at in this suite; else the suite's first."""
    columns = [
        column.name if column.kind == "value" else f"{column.name}.accuracy"
        for grader in opened.graders
        for column in grader.columns()
    ]
    wanted = [check.metric for check in policy.checks if check.metric in columns]
    return wanted[0] if wanted else columns[0]


def examples_of(run: OpenRun, opened: OpenedSuite) -> Iterator[Example]:
    """Yield up to a dozen examples of each kind: regressions, improvements, both wrong, errors."""
    column = primary_column(run.policy, opened).removesuffix(".accuracy")
    sides = {role: _side(run, role, opened, column) for role in run.contest.roles}
    counts: dict[str, int] = {}
    for case in opened.suite.cases:
        example = _example(opened, case, column, sides)
        if example is not None and counts.get(example.kind, 0) < MOST_OF_A_KIND:
            counts[example.kind] = counts.get(example.kind, 0) + 1
            yield example


Side = dict[str, tuple[Response, Score | None]]


def _side(run: OpenRun, role: Role, opened: OpenedSuite, column: str) -> Side:
    scores = {
        score.case_id: score
        for score in run.contest.scores(role, opened)
        if score.grader == column and score.repeat == 0
    }
    return {
        response.case_id: (response, scores.get(response.case_id))
        for response in run.contest.responses(role, opened.suite.name)
        if response.repeat == 0
    }


def _example(
    opened: OpenedSuite, case: Case, column: str, sides: dict[Role, Side]
) -> Example | None:
    ours, our_score = sides["candidate"].get(case.id, (None, None))
    theirs, their_score = sides.get("baseline", {}).get(case.id, (None, None))
    if ours is None:
        return None
    kind = _kind(ours, our_score, their_score, alone="baseline" not in sides)
    if kind is None:
        return None
    return Example(
        case_id=case.id,
        suite=opened.suite.name,
        kind=kind,
        prompt="\n\n".join(
            _text(message.content) for message in case.messages if message.role == "user"
        ),
        expected=_text(case.expected),
        candidate_text=ours.text or ours.error,
        baseline_text=(theirs.text or theirs.error) if theirs else None,
        candidate_score=our_score.value if our_score else None,
        baseline_score=their_score.value if their_score else None,
        candidate_reason=our_score.reason if our_score else "",
        baseline_reason=their_score.reason if their_score else "",
        grader=column,
        tags=case.tags,
    )


def _kind(
    ours: Response, our_score: Score | None, their_score: Score | None, *, alone: bool
) -> Any:
    if ours.outcome in INFRASTRUCTURE_OUTCOMES or our_score is None or our_score.value is None:
        return "error"
    if alone:
        return "both_wrong" if our_score.value < 1 else None
    if their_score is None or their_score.value is None:
        return "error"
    if our_score.value < their_score.value:
        return "regression"
    if our_score.value > their_score.value:
        return "improvement"
    return "both_wrong" if our_score.value < 1 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
