"""Two passes of one model over the same cases, held against each other: what A/A adds up over months.

A pass is every case answered once. Passes are paired each with one other only, in the order of time: answers that were
compared twice would count twice, and a chain of differences (second - first, third - second) says no more than its ends.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evals.metrics.results import ModelResults
from evals.records import Record

__all__ = ["PassPair", "pair_differences"]

_FEWEST = 10
"""Cases below which a pair of passes is left out: its mean would weigh as much as that of hundreds."""


class PassPair(Record, frozen=True, kw_only=True):
    """The later pass minus the earlier one, in the mean of one column of scores over the `cases` that both answered."""

    suite: str
    column: str
    cases: int
    difference: float


def pair_differences(earlier: ModelResults, later: ModelResults) -> Iterator[PassPair]:
    """Yield the difference of two passes for each column of scores in [0, 1]; none where they can't be compared.

    They can on the same suite, by the same version of a grader, on cases that both were asked and that both answered: what
    is missing in one of them is left out of both, so that the passes could still be swapped.
    """
    if earlier.fingerprint != later.fingerprint or len(earlier.case_ids) != len(later.case_ids):
        return
    both = earlier.planned & later.planned
    for grader, version in earlier.grader_versions.items():
        column = grader if grader in earlier.columns else f"{grader}.accuracy"
        if later.grader_versions.get(grader) != version:
            continue
        if column not in earlier.columns or column not in later.columns:
            continue
        gaps = (later.columns[column] - earlier.columns[column])[both]
        gaps = gaps[np.isfinite(gaps)]
        if gaps.size >= _FEWEST and float(np.abs(gaps).max()) <= 1.0:
            mean = float(gaps.mean())
            yield PassPair(
                suite=earlier.suite, column=column, cases=int(gaps.size), difference=mean
            )
