"""True and predicted labels of one model's answers, as columns of codes: what macro-F1 and its kin are computed from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evals.metrics.grid import Grid
from evals.metrics.results import INVALID, UNSCORED, LabelColumn
from evals.records import Score
from evals.suites.case_arrays import applicable_cases
from evals.suites.opened import OpenedSuite

__all__ = ["LabelColumns"]

Mask = NDArray[np.bool_]


class LabelColumns:
    """The columns while they are being filled, score by score; empty for suites without a grader of labels."""

    def __init__(self, opened: OpenedSuite) -> None:
        self._opened = opened
        columns = [(grader, column) for grader in opened.graders for column in grader.columns()]
        self._labels = {
            column.name: column.labels for _, column in columns if column.kind == "label"
        }
        self._graders = {column.name: grader for grader, column in columns}
        self._codes = {
            name: {label: code for code, label in enumerate(labels)}
            for name, labels in self._labels.items()
        }
        self._truths = {name: self._grid() for name in self._codes}
        self._predictions = {name: self._grid() for name in self._codes}

    def __contains__(self, name: str) -> bool:
        return name in self._codes

    def add(self, row: int, score: Score) -> None:
        """Take in a score of the case at `row`; what is no label is passed over."""
        codes = self._codes.get(score.grader)
        if codes is None or score.value is None:
            return
        said = codes.get(score.predicted or "", INVALID)
        self._truths[score.grader].put(row, score.repeat, codes[score.truth or ""])
        self._predictions[score.grader].put(row, score.repeat, said)

    def columns(self, repeats: int, planned: Mask | None) -> dict[str, LabelColumn]:
        """Return the columns by grader, shape (cases, repeats) each; `planned` are the cases that were asked, None for all."""
        return {name: self._column(name, repeats, planned) for name in self._codes}

    def _column(self, name: str, repeats: int, planned: Mask | None) -> LabelColumn:
        truth = self._truths[name].values(repeats)
        # A truth doesn't depend on the answer: what one repeat told holds for the others.
        truth = np.where(
            truth == UNSCORED, truth.max(axis=1, keepdims=True, initial=UNSCORED), truth
        )
        about = applicable_cases(self._opened, name)
        return LabelColumn(
            labels=self._labels[name],
            truth=self._with_truths_of_cases(
                name, truth, about if planned is None else about & planned
            ),
            predicted=self._predictions[name].values(repeats),
        )

    def _with_truths_of_cases(
        self, name: str, truth: NDArray[np.int64], about: Mask
    ) -> NDArray[np.int64]:
        """Add the truths of cases that no answer told: missing answers are held against them, too."""
        true_label = getattr(self._graders[name], "truth", None)
        unknown = np.flatnonzero((truth == UNSCORED).any(axis=1) & about)
        if true_label is None or not unknown.size:
            return truth
        truth = truth.copy()
        for row in unknown:
            truth[row] = self._codes[name][true_label(self._opened.suite.cases[int(row)])]
        return truth

    def _grid(self) -> Grid:
        return Grid(len(self._opened.suite.cases), 1, UNSCORED, np.int64)
