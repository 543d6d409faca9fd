"""The scores of a run: one JSONL file for each role and suite of a run, a line for each response with all its scores.

Scores are kept because some cost money (a judge model's) and because a report has to show them; those of another
grader version, or of another set of graders, are left aside and made anew. The file may be long: in memory there is a
byte for each answer, the scores themselves are read from the file as they are needed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from evals.cases.table import CaseTable
from evals.codec import decoder
from evals.files import append_lines, whole_lines
from evals.records import MODEL_OUTCOMES, Response, Role, Score, UnscoredBecause
from evals.suites.opened import OpenedSuite

__all__ = ["ScoreStore"]

_UNKNOWN, _SCORED, _NO_ANSWER, _JUDGE_UNREACHABLE = range(4)


class _ScoreStatus(msgspec.Struct):
    """What of a score tells whether it stands."""

    case_id: str
    repeat: int = 0
    value: float | None = None
    reason: str = ""
    unscored_because: UnscoredBecause | None = None


class ScoreStore:
    """Scores of one role's answers to one suite; those of graders that compare two answers stand in a book of their own."""

    def __init__(
        self,
        folder: Path,
        role: Role,
        opened: OpenedSuite,
        *,
        pairs: bool = False,
        made_by: str | None = None,
    ) -> None:
        """Open the book in a folder; `made_by` is the digest that its scores belong to, the suite's fingerprint if None."""
        stem = (made_by or opened.fingerprint).removeprefix("sha256:")[:12]
        name = f"{role}-{opened.suite.name}-{stem}{'-pairs' if pairs else ''}.jsonl"
        self.path = folder / "scores" / name
        self._cases = opened.suite.cases
        self._fresh: list[tuple[Score, ...]] = []

    def has(self, response: Response) -> bool:
        """Return whether this answer was scored already.

        An answer that came only when it was asked for again takes the place of the failure that was noted before, and
        one whose judge could not be reached is judged again.
        """
        mark = self._mark(response)
        return mark == _SCORED or (mark == _NO_ANSWER and response.outcome not in MODEL_OUTCOMES)

    def has_pair(self, ours: Response, theirs: Response) -> bool:
        """Return whether these two answers were compared already; as `has`, for both."""
        came = theirs.outcome in MODEL_OUTCOMES
        return self.has(ours) if came else self._mark(ours) != _UNKNOWN

    def lost(self) -> int:
        """Return how many answers wait to be judged again, since their judge could not be reached."""
        return self._marks.count(_JUDGE_UNREACHABLE)

    def add(self, scores: Iterable[Score]) -> None:
        """Add the scores of one answer; they count when they are saved."""
        found = tuple(scores)
        if found:
            self._marks.put(found[0].case_id, found[0].repeat, _mark_of(found))
            self._fresh.append(found)

    def scores(self) -> Iterator[Score]:
        """Yield all scores that were saved: the last ones, where an answer was scored anew."""
        for found in self.by_answer():
            yield from found

    def by_answer(self) -> Iterator[tuple[Score, ...]]:
        """Yield the same scores, those of one answer together."""
        superseded = self._superseded()
        reader = decoder(tuple[Score, ...])
        for number, line in self._lines():
            if number not in superseded:
                with suppress(msgspec.DecodeError):
                    yield reader.decode(line)

    def save(self) -> None:
        """Append what was added, durably."""
        if not self._fresh:
            return
        encoder = msgspec.json.Encoder()
        append_lines(self.path, map(encoder.encode, self._fresh))
        self._fresh.clear()

    @cached_property
    def _marks(self) -> _Marks:
        marks = _Marks(self._cases, "B")
        for _, found in self._statuses():
            marks.put(found[0].case_id, found[0].repeat, _mark_of(found))
        return marks

    def _mark(self, response: Response) -> int:
        return self._marks.get(response.case_id, response.repeat)

    def _superseded(self) -> set[int]:
        """Numbers of the lines whose answer was scored anew in a later one."""
        latest, superseded = _Marks(self._cases, "I"), set[int]()
        for number, found in self._statuses():
            if earlier := latest.put(found[0].case_id, found[0].repeat, number):
                superseded.add(earlier)
        return superseded

    def _statuses(self) -> Iterator[tuple[int, tuple[_ScoreStatus, ...]]]:
        reader = decoder(tuple[_ScoreStatus, ...])
        for number, line in self._lines():
            # Files of before may hold empty lines, and lines that a kill has torn; such an answer is scored again.
            with suppress(msgspec.DecodeError):
                yield number, reader.decode(line)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        return enumerate(whole_lines(self.path), start=1)


class _Marks:
    """A small number for each (case, repeat) of a suite, 0 to begin with."""

    def __init__(self, cases: CaseTable, kind: Literal["B", "I"]) -> None:
        self._cases, self._kind = cases, kind
        self._repeats: list[array[int]] = []

    def get(self, case_id: str, repeat: int) -> int:
        row = self._cases.row(case_id)
        return 0 if row is None or repeat >= len(self._repeats) else self._repeats[repeat][row]

    def count(self, mark: int) -> int:
        """How often a number stands."""
        return sum(column.count(mark) for column in self._repeats)

    def put(self, case_id: str, repeat: int, mark: int) -> int:
        """Set a number and return the one before; 0, and nothing is set, for a case that the suite does not have."""
        while repeat >= len(self._repeats):
            self._repeats.append(array(self._kind, [0]) * len(self._cases))
        row = self._cases.row(case_id)
        if row is None:
            return 0
        before, self._repeats[repeat][row] = self._repeats[repeat][row], mark
        return before


def _mark_of(scores: Sequence[Score | _ScoreStatus]) -> int:
    missing = [
        score.unscored_because or _because_in_words(score.reason)
        for score in scores
        if score.value is None
    ]
    if "judge_unreachable" in missing:
        return _JUDGE_UNREACHABLE
    return _NO_ANSWER if missing.count("no_answer") == len(scores) else _SCORED


def _because_in_words(reason: str) -> UnscoredBecause:
    """Read the code out of the sentence: scores stored before `unscored_because` existed have nothing else."""
    if "asked again when the run goes on" in reason:
        return "judge_unreachable"
    return "no_answer" if reason.startswith("no answer came") else "ungradable"
