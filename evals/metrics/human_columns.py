"""What people said of one model's answers, as columns beside the judge's scores of the same answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from evals.metrics.grid import Grid
from evals.records import Response
from evals.suites.human_labels import answer_digest
from evals.suites.opened import OpenedSuite

__all__ = ["HumanColumns"]


class HumanColumns:
    """The columns while they are being filled, answer by answer; empty for suites without human labels."""

    def __init__(self, opened: OpenedSuite, columns: Collection[str]) -> None:
        self._labels = [labels.by_answer() for labels in opened.people.values()]
        self._grids = {
            name: Grid(len(opened.suite.cases), 1, np.nan, np.float64)
            for grader in opened.people
            for name in (grader, f"{grader}.passed")
            if name in columns
        }

    def add(self, row: int, response: Response) -> Iterator[tuple[str, float]]:
        """Take in an answer and yield what people said of it, by column."""
        if not self._labels:
            return
        key = (response.case_id, answer_digest(response))
        for labels in self._labels:
            for name, value in labels.get(key, {}).items():
                self._grids[name].put(row, response.repeat, value)
                yield name, value

    def columns(self, repeats: int) -> dict[str, NDArray[np.float64]]:
        """Return the mean over the repeats of each case, shape (cases,); NaN unless all of them were labelled."""
        return {name: grid.values(repeats).mean(axis=1) for name, grid in self._grids.items()}
