"""Holds each grader against the answers that the cases themselves call right: who can't pass with those, can't pass at all."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from evals.graders.base import Grader
from evals.graders.parsing import same_text
from evals.records import Case, Record, Response, Score
from evals.suites.opened import OpenedSuite

__all__ = ["UnreachedScore", "unreached_scores"]

_TRIED = 20
"""Cases that code of one's own is tried on: it may be slow."""


class UnreachedScore(Record, frozen=True, kw_only=True):
    """A grader for which right answers are not right: in `cases` of the `tried` ones, `case_id` the first, with its reason."""

    grader: str
    cases: int
    tried: int
    case_id: str
    reason: str


def unreached_scores(opened: OpenedSuite, *, named: bool = True) -> tuple[UnreachedScore, ...]:
    """Return each grader that does not give the expected answers of its cases its best score.

    A grader that knows what answer a case expects (`reference`) has to give that one 1. One that runs code of the suite's
    author is tried with the expected answer of a few cases, and found broken when it gives nothing but 0. Judges are not asked. With `named` False no case is told: the suite is sealed.
    """
    all_found = (_of_grader(opened, grader) for grader in opened.graders)
    found = tuple(one for one in all_found if one is not None)
    return found if named else tuple(replace(one, case_id="", reason="") for one in found)


@dataclass(slots=True)
class _Tally:
    tried: int = 0
    missed: int = 0
    best: float = 0.0
    first: tuple[str, str] = ("", "")

    def add(self, case: Case, scores: tuple[Score, ...]) -> None:
        values = [score.value for score in scores]
        self.tried += 1
        self.best = max([self.best, *(value for value in values if value is not None)])
        if not all(value == 1.0 for value in values):
            self.missed += 1
            reasons = [score.reason for score in scores if score.value != 1.0]
            self.first = self.first if self.first[0] else (case.id, reasons[0])


def _of_grader(opened: OpenedSuite, grader: Grader) -> UnreachedScore | None:
    knows = getattr(grader, "reference", None)
    tally, own = _Tally(), _runs_own_code(opened, grader)
    for case, answer in _answers(opened, knows, own=own):
        scores = _graded(grader, case, answer, own=own)
        if scores is None:
            return None
        tally.add(case, scores)
    broken = tally.best == 0.0 if own else tally.missed
    if not tally.tried or not broken:
        return None
    return UnreachedScore(
        grader=grader.name,
        cases=tally.missed,
        tried=tally.tried,
        case_id=tally.first[0],
        reason=tally.first[1],
    )


def _answers(opened: OpenedSuite, knows: Any, *, own: bool) -> Iterator[tuple[Case, str]]:
    for number, case in enumerate(opened.suite.cases):
        if own and number == _TRIED:
            return
        answer = knows(case) if knows is not None and not own else None
        if own and case.expected is not None:
            answer = same_text(case.expected)
        if answer is not None:
            yield case, answer


def _runs_own_code(opened: OpenedSuite, grader: Grader) -> bool:
    return any(
        spec.name == grader.name and spec.type in ("custom", "python")
        for spec in opened.suite.graders
    )


def _graded(grader: Grader, case: Case, answer: str, *, own: bool) -> tuple[Score, ...] | None:
    """The scores of an answer; None where a model would have to be asked."""
    response = Response(case_id=case.id, model_id="reference", outcome="answered", text=answer)
    try:
        scores = grader.grade(case, response)
        if isinstance(scores, Coroutine) and not own:
            scores.close()
            return None
        return asyncio.run(scores) if isinstance(scores, Coroutine) else tuple(scores)  # type: ignore[arg-type]
    except Exception as error:  # whatever the author's code does, it is told by its result
        return (_crashed(grader, case, error),)


def _crashed(grader: Grader, case: Case, error: Exception) -> Score:
    reason = f"the grader crashed: {type(error).__name__}: {error}"
    return Score(case_id=case.id, grader=grader.name, version=grader.version, reason=reason)
