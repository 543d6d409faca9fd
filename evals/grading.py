"""Scores what was answered and not scored yet, many answers at once, and keeps the scores as it goes.

Judges that compare two answers (see `evals.graders.pairwise`) come last, when both models have answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TypeVar

from evals.graders.base import grade_response
from evals.graders.pairwise import grade_pair, pairwise
from evals.opening import OpenedSuite
from evals.records import Response, Role
from evals.scores import ScoreBook

__all__ = ["grade_pairs", "grade_role"]

AT_ONCE = 64
"""Answers graded together; how many judges are asked at once is the asker's own affair."""

T = TypeVar("T")
Read = Callable[[Role, str], Iterable[Response]]


async def grade_role(folder: Path, role: Role, opened: OpenedSuite, read: Read) -> None:
    """Score one model's answers to one suite that have no score of the present graders yet."""
    cases = {case.id: case for case in opened.suite.cases}
    book = ScoreBook(folder, role, opened)
    due = (
        response
        for response in read(role, opened.suite.name)
        if response.case_id in cases and not book.has(response)
    )
    for part in _parts(due):
        for found in await asyncio.gather(
            *(grade_response(opened.graders, cases[one.case_id], one) for one in part)
        ):
            book.add(found)
        book.save()


async def grade_pairs(folder: Path, opened: OpenedSuite, read: Read) -> None:
    """Let the graders that compare two models judge the answers that both have given."""
    if not pairwise(opened.graders):
        return
    cases = {case.id: case for case in opened.suite.cases}
    roles: tuple[Role, ...] = ("candidate", "baseline")
    books: Mapping[Role, ScoreBook] = {
        role: ScoreBook(folder, role, opened, pairs=True) for role in roles
    }
    theirs = {(one.case_id, one.repeat): one for one in read("baseline", opened.suite.name)}
    due = (
        (ours, theirs[(ours.case_id, ours.repeat)])
        for ours in read("candidate", opened.suite.name)
        if (ours.case_id, ours.repeat) in theirs and ours.case_id in cases
    )
    fresh = (pair for pair in due if not books["candidate"].has_pair(*pair))
    for part in _parts(fresh):
        found = await asyncio.gather(
            *(grade_pair(opened.graders, cases[ours.case_id], ours, other) for ours, other in part)
        )
        for our_scores, their_scores in found:
            books["candidate"].add(our_scores)
            books["baseline"].add(their_scores)
        for book in books.values():
            book.save()


def _parts(items: Iterable[T]) -> Iterator[list[T]]:
    stream = iter(items)
    while part := list(islice(stream, AT_ONCE)):
        yield part
