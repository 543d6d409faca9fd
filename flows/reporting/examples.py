"""Picks the cases a reader of a report wants to see: where candidate and baseline differ, and where both are wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.gate.policy import GatePolicy
from evals.records import Case, Response, Role, Score
from evals.report.facts import Example, ExampleKind
from evals.suites.opened import OpenedSuite
from flows.evaluation.open_run import OpenRun
from flows.reporting.regression import RecordedAnswers

__all__ = ["examples_of", "primary_column"]

MOST_OF_A_KIND = 12
_UNSCORED, _NOT_ASKED = -1.0, -2.0

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Answers = dict[str, tuple[Response, Score | None]]


def primary_column(policy: GatePolicy, opened: OpenedSuite) -> str:
    """The first column of scores in [0, 1] that the gate looks at in this suite; else the suite's first."""
    columns = [
        column.name if column.kind == "value" else f"{column.name}.accuracy"
        for grader in opened.graders
        for column in grader.columns()
    ]
    wanted = [check.metric for check in policy.checks if check.metric in columns]
    return wanted[0] if wanted else columns[0]


class _Asked:
    """What a role answered in a run."""

    def __init__(self, run: OpenRun, role: Role) -> None:
        self._run, self._role = run, role

    def responses(self, opened: OpenedSuite) -> Iterator[Response]:
        return self._run.evaluation.responses(self._role, opened.suite.name)

    def scores(self, opened: OpenedSuite) -> Iterator[Score]:
        return self._run.evaluation.scores(self._role, opened)


Source = _Asked | RecordedAnswers


def examples_of(
    run: OpenRun, opened: OpenedSuite, recorded: RecordedAnswers | None = None
) -> Iterator[Example]:
    """Yield up to a dozen examples of each kind: regressions, improvements, both wrong, errors.

    Answers and scores are read twice, so that only those of the chosen cases are ever held: first to see which cases
    are of which kind, then for what was said to them. `recorded` answers stand for a baseline that is not asked.
    """
    column = primary_column(run.policy, opened).removesuffix(".accuracy")
    sources: dict[Role, Source] = {role: _Asked(run, role) for role in run.evaluation.roles}
    if recorded is not None:
        sources["baseline"] = recorded
    values = {role: _values(source, opened, column) for role, source in sources.items()}
    chosen = _chosen(values["candidate"], values.get("baseline"))
    cases = {row: opened.suite.cases[row] for row in sorted(chosen)}
    wanted = {case.id for case in cases.values()}
    answers = {
        role: _answers_of(source, opened, column, wanted) for role, source in sources.items()
    }
    for row, case in cases.items():
        yield _example(opened.suite.name, case, chosen[row], column, answers)


def _values(source: Source, opened: OpenedSuite, column: str) -> Values:
    """What a role's first answer to each case scored, shape (cases,); one of the codes below zero without a score."""
    cases = opened.suite.cases
    values = np.full(len(cases), _NOT_ASKED)
    for response in source.responses(opened):
        if response.repeat == 0 and (row := cases.row(response.case_id)) is not None:
            values[row] = _UNSCORED
    for score in _scores(source, opened, column):
        row = cases.row(score.case_id)
        if row is not None and score.value is not None:
            values[row] = score.value
    return values


def _chosen(ours: Values, theirs: Values | None) -> dict[int, ExampleKind]:
    """The cases to show, as a kind by row: the first dozen of each kind."""
    other = np.full_like(ours, _NOT_ASKED) if theirs is None else theirs
    alone = other == _NOT_ASKED
    error = (ours == _UNSCORED) | ((other == _UNSCORED) & (ours != _NOT_ASKED))
    scored = (ours >= 0) & ~error
    kinds: dict[ExampleKind, Mask] = {
        "error": error,
        "regression": scored & ~alone & (ours < other),
        "improvement": scored & ~alone & (ours > other),
        "both_wrong": scored & (alone | (ours == other)) & (ours < 1),
    }
    return {
        int(row): kind
        for kind, mask in kinds.items()
        for row in np.flatnonzero(mask)[:MOST_OF_A_KIND]
    }


def _answers_of(source: Source, opened: OpenedSuite, column: str, wanted: set[str]) -> Answers:
    """What a role answered to some cases, with its score."""
    scores = {
        score.case_id: score for score in _scores(source, opened, column) if score.case_id in wanted
    }
    return {
        response.case_id: (response, scores.get(response.case_id))
        for response in source.responses(opened)
        if response.repeat == 0 and response.case_id in wanted
    }


def _scores(source: Source, opened: OpenedSuite, column: str) -> Iterator[Score]:
    return (
        score for score in source.scores(opened) if score.grader == column and score.repeat == 0
    )


def _example(
    suite: str, case: Case, kind: ExampleKind, column: str, answers: dict[Role, Answers]
) -> Example:
    ours, our_score = answers["candidate"][case.id]
    theirs, their_score = answers.get("baseline", {}).get(case.id, (None, None))
    return Example(
        case_id=case.id,
        suite=suite,
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


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
