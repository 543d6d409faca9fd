"""A part of a suite, as a suite: everything that counts, orders, asks or judges cases then knows of these alone.

Its fingerprint is that of the whole suite, since a case means the same in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from evals.cases.table import CaseTable
from evals.suites.opened import OpenedSuite

__all__ = ["part_of", "without"]

Mask = NDArray[np.bool_]

_PARTS: WeakKeyDictionary[CaseTable, dict[bytes, CaseTable]] = WeakKeyDictionary()
_MOST = 8


def part_of(opened: OpenedSuite, rows: Mask) -> OpenedSuite:
    """Return the suite with some of its cases only, in their order; `rows` is a mask of shape (cases,).

    Raises ValueError for no case at all.
    """
    if rows.all():
        return opened
    if not rows.any():
        raise ValueError(f"no case of {opened.suite.name} is left")
    return replace(
        opened,
        suite=replace(opened.suite, cases=_table(opened.suite.cases, rows)),
        applicable={
            name: np.frombuffer(about, dtype=np.uint8)[rows].tobytes()
            for name, about in opened.applicable.items()
        },
    )


def without(opened: OpenedSuite, case_ids: Iterable[str]) -> OpenedSuite:
    """Return the suite without these cases; ids that it does not have are passed over. Raises as `part_of`."""
    rows = np.ones(len(opened.suite.cases), dtype=np.bool_)
    found = (opened.suite.cases.row(case_id) for case_id in case_ids)
    rows[[row for row in found if row is not None]] = False
    return part_of(opened, rows)


def _table(cases: CaseTable, rows: Mask) -> CaseTable:
    """The same part asked for again is the same table: steps of a run follow one another in one process."""
    kept = _PARTS.setdefault(cases, {})
    key = np.packbits(rows).tobytes()
    if key not in kept:
        kept[key] = cases.only(np.flatnonzero(rows).tolist())
        for oldest in list(kept)[:-_MOST]:
            del kept[oldest]
    return kept[key]
