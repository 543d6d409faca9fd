"""Brings both models' answers to a case together, however many there are and in whatever order they came.

Models are compared case by case: how hard a case is cancels out in the difference, so that far fewer cases tell the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator

import msgspec

from evals.cases.row_file import RowFile
from evals.cases.suite_file import Suite
from evals.cases.table import CaseTable
from evals.codec import decoder
from evals.records import Case, Response, Role

__all__ = ["paired"]


def paired(
    suite: Suite, read: Callable[[Role, str], Iterable[Response]]
) -> Iterator[tuple[Case, Response, Response]]:
    """Yield (case, candidate's answer, baseline's answer) for every case and repeat that both have answered.

    `read` gives a role's answers to a suite. The candidate's are read one by one; the baseline's are kept on disk in
    between, with twelve bytes of memory for each.
    """
    baseline = _StoredResponses(suite.cases, read("baseline", suite.name))
    for candidate in read("candidate", suite.name):
        counterpart, case = baseline.get(candidate), suite.cases.get(candidate.case_id)
        if counterpart is not None and case is not None:
            yield case, candidate, counterpart


class _StoredResponses:
    """Answers to a suite, found by case and repeat."""

    def __init__(self, cases: CaseTable, responses: Iterable[Response]) -> None:
        self._cases = cases
        self._spool = RowFile()
        self._places: list[
            array[int]
        ] = []  # by repeat: 1 + number in the spool for every case, 0 for none
        for response in responses:
            row = cases.row(response.case_id)
            if row is not None:
                self._column(response.repeat)[row] = 1 + self._spool.append(_encode(response))

    def get(self, like: Response) -> Response | None:
        """Return the answer to the same case and repeat, None when there is none."""
        row = self._cases.row(like.case_id)
        place = 0 if row is None else self._column(like.repeat)[row]
        return _decode(self._spool[place - 1]) if place else None

    def _column(self, repeat: int) -> array[int]:
        while repeat >= len(self._places):
            self._places.append(array("I", [0]) * len(self._cases))
        return self._places[repeat]


_encode = msgspec.json.Encoder().encode
_decode = decoder(Response).decode
