"""Scores what was answered and not scored yet, many answers at once, and keeps the scores as it goes.

Answers pass from the journal to the score store a few at a time, each as soon as its graders are done with it. Judges
that compare two answers (see `evals.graders.judges.pairwise`) come last, when both models have answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from evals.evaluation.pairing import paired
from evals.evaluation.score_store import ScoreStore
from evals.graders.base import grade_response
from evals.graders.judges.pairwise import grade_pair, pairwise
from evals.records import Case, Response, Role, Score
from evals.suites.opened import OpenedSuite

__all__ = ["QUICK", "GradingPace", "grade_answers", "grade_pairs", "grade_role"]

AT_ONCE = 256
"""Answers that are being graded at a time; how many judges are asked at once is decided by the model client."""

SAVED_EVERY_S = 0.25
"""A kill costs at most the scores of that long, and those of the answers being graded."""


@dataclass(frozen=True, slots=True)
class GradingPace:
    """How fast answers are graded: how many at once, and after how many in a row without a judge no more are begun."""

    at_once: int = AT_ONCE
    patience: int | None = None


QUICK = GradingPace()


T = TypeVar("T")
Read = Callable[[Role, str], Iterable[Response]]


async def grade_role(
    folder: Path, role: Role, opened: OpenedSuite, read: Read, pace: GradingPace = QUICK
) -> None:
    """Score one model's answers to one suite that have no score of the present graders yet."""
    store = ScoreStore(folder, role, opened)
    await grade_answers(store, opened, read(role, opened.suite.name), pace)


async def grade_answers(
    store: ScoreStore,
    opened: OpenedSuite,
    responses: Iterable[Response],
    pace: GradingPace = QUICK,
) -> None:
    """Score the answers to a suite that have no score in a book yet."""
    graded = (
        grade_response(opened.graders, case, response)
        for case, response in _due(store, opened, responses)
    )
    with _saving(store) as save_if_due:
        await _collect(graded, store.add, save_if_due, pace, _lost)


async def grade_pairs(
    folder: Path, opened: OpenedSuite, read: Read, pace: GradingPace = QUICK
) -> None:
    """Let the graders that compare two models judge the answers that both have given."""
    if not pairwise(opened.graders):
        return
    candidate_store = ScoreStore(folder, "candidate", opened, pairs=True)
    baseline_store = ScoreStore(folder, "baseline", opened, pairs=True)
    graded = (
        grade_pair(opened.graders, case, candidate, baseline)
        for case, candidate, baseline in paired(opened.suite, read)
        if not candidate_store.has_pair(candidate, baseline)
    )

    def keep(found: tuple[Iterable[Score], Iterable[Score]]) -> None:
        candidate_store.add(found[0])
        baseline_store.add(found[1])

    # Last the book that says whether a pair was judged, so that a kill between the two leaves none with half its scores.
    with _saving(baseline_store, candidate_store) as save_if_due:
        await _collect(graded, keep, save_if_due, pace, lambda found: _lost(found[0]))


async def _collect(
    graded: Iterator[Coroutine[Any, Any, T]],
    keep: Callable[[T], None],
    save_if_due: Callable[[], None],
    pace: GradingPace,
    lost: Callable[[T], bool],
) -> None:
    """Run so many at a time, and keep each result when it is there: one slow judge holds nobody up."""
    running: dict[asyncio.Task[T], None] = {}
    in_a_row = 0
    try:
        while True:
            patient = pace.patience is None or in_a_row < pace.patience
            for one in islice(graded, pace.at_once - len(running) if patient else 0):
                running[asyncio.create_task(one)] = None
            if not running:
                return
            await asyncio.wait(running, timeout=SAVED_EVERY_S, return_when="FIRST_COMPLETED")
            for task in [task for task in running if task.done()]:
                del running[task]
                in_a_row = in_a_row + 1 if lost(task.result()) else 0
                keep(task.result())
            save_if_due()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _lost(scores: Iterable[Score]) -> bool:
    return any(score.unscored_because == "judge_unreachable" for score in scores)


@contextmanager
def _saving(*stores: ScoreStore) -> Iterator[Callable[[], None]]:
    """Give a function that saves the books, in this order, when some time has passed; save them at the end too.

    Scores that cost money take long: they are saved with every few answers. For those that cost nothing, waiting for
    the disk each time would be most of the work.
    """
    saved = monotonic()

    def save_if_due() -> None:
        nonlocal saved
        if monotonic() - saved >= SAVED_EVERY_S:
            for store in stores:
                store.save()
            saved = monotonic()

    try:
        yield save_if_due
    finally:
        for store in stores:
            store.save()


def _due(
    store: ScoreStore, opened: OpenedSuite, responses: Iterable[Response]
) -> Iterator[tuple[Case, Response]]:
    """The answers without a score; those to cases that the suite has no more are passed over."""
    for response in responses:
        if not store.has(response):
            case = opened.suite.cases.get(response.case_id)
            if case is not None:
                yield case, response
