"""The score book: one JSONL file for each role and suite of a run, a line for each response with all its scores.

Scores are kept because some cost money (a judge model's) and because a report has to show them; those of another
grader version, or of another set of graders, are left aside and made anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from evals.graders.asking import ASKED_AGAIN
from evals.opening import OpenedSuite
from evals.records import MODEL_OUTCOMES, Response, Role, Score

__all__ = ["ScoreBook"]

Key = tuple[str, int]


class ScoreBook:
    """Scores of one role's answers to one suite; those of graders that compare two answers stand in a book of their own."""

    def __init__(
        self, folder: Path, role: Role, opened: OpenedSuite, *, pairs: bool = False
    ) -> None:
        stem = opened.fingerprint.removeprefix("sha256:")[:12]
        name = f"{role}-{opened.suite.name}-{stem}{'-pairs' if pairs else ''}.jsonl"
        self.path = folder / "scores" / name
        self._scores: dict[Key, tuple[Score, ...]] = {}
        self._fresh: list[tuple[Score, ...]] = []
        self._read()

    def has(self, response: Response) -> bool:
        """Return whether this answer was scored already.

        An answer that came only when it was asked for again takes the place of the failure that was noted before, and
        one whose judge could not be reached is judged again.
        """
        found = self._scores.get((response.case_id, response.repeat))
        if found is None:
            return False
        came = response.outcome in MODEL_OUTCOMES
        if any(score.unscored and ASKED_AGAIN in score.reason for score in found):
            return False  # its judge could not be reached then
        return not (came and all(_says_nothing_came(score) for score in found))

    def has_pair(self, ours: Response, theirs: Response) -> bool:
        """Return whether these two answers were compared already; as `has`, for both."""
        came = theirs.outcome in MODEL_OUTCOMES
        return self.has(ours) if came else (ours.case_id, ours.repeat) in self._scores

    def add(self, scores: Iterable[Score]) -> None:
        """Add the scores of one answer."""
        found = tuple(scores)
        if found:
            self._scores[(found[0].case_id, found[0].repeat)] = found
            self._fresh.append(found)

    def scores(self) -> list[Score]:
        """Return all scores."""
        return [score for found in self._scores.values() for score in found]

    def save(self) -> None:
        """Append what was added, durably."""
        if not self._fresh:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        encoder = msgspec.json.Encoder()
        with self.path.open("ab") as file:
            # A line of its own even after a torn one; blank and torn lines are passed over when reading.
            file.write(b"\n" if file.tell() else b"")
            file.write(b"".join(encoder.encode(found) + b"\n" for found in self._fresh))
            file.flush()
            os.fsync(file.fileno())
        self._fresh.clear()

    def _read(self) -> None:
        if not self.path.exists():
            return
        decoder = msgspec.json.Decoder(tuple[Score, ...])
        for line in self.path.read_bytes().splitlines():
            # A process killed while writing leaves a torn line; its answer is scored again.
            with suppress(msgspec.DecodeError):
                found = decoder.decode(line)
                self._scores[(found[0].case_id, found[0].repeat)] = found


def _says_nothing_came(score: Score) -> bool:
    """Whether the score is unscored for want of an answer, as `evals.graders.base` words it."""
    return score.unscored and score.reason.startswith("no answer came")
