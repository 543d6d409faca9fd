"""What is known of all cases at once, as arrays with an element a case: tags, clusters, which column is about which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from evals.cases.table import CaseTable
from evals.suites.opened import OpenedSuite

__all__ = ["applicable_cases", "cluster_codes", "matches", "matching_all", "tag_texts"]

Mask = NDArray[np.bool_]

_TEXTS: WeakKeyDictionary[CaseTable, dict[str, NDArray[Any]]] = WeakKeyDictionary()


def tag_texts(cases: CaseTable) -> dict[str, NDArray[Any]]:
    """Return the value of every tag, shape (cases,), "" where a case has none; made once, not to be written to.

    Every case refers to the one text of its value, so that a long text costs no more than a short one.
    """
    if cases not in _TEXTS:
        _TEXTS[cases] = {
            name: np.array([*column.values, ""], dtype=np.object_)[np.asarray(column.codes)]
            for name, column in cases.tags.items()
        }
    return _TEXTS[cases]


def matches(cases: CaseTable, tag: str, value: str) -> Mask:
    """Return which cases have this value of a tag, shape (cases,)."""
    column = cases.tags.get(tag)
    if column is None or value not in column.values:
        return np.zeros(len(cases), dtype=np.bool_)
    return np.asarray(np.asarray(column.codes) == column.values.index(value))


def matching_all(cases: CaseTable, where: Mapping[str, str]) -> Mask:
    """Return which cases have all these values of tags, shape (cases,); all cases for none."""
    mask = np.ones(len(cases), dtype=np.bool_)
    for tag, value in where.items():
        mask &= matches(cases, tag, value)
    return mask


def cluster_codes(cases: CaseTable) -> NDArray[np.int64] | None:
    """Return the number of each case's cluster, by first appearance, shape (cases,); None without clusters."""
    return np.array(cases.clusters, dtype=np.int64) if cases.has_clusters else None


def applicable_cases(opened: OpenedSuite, column: str) -> Mask:
    """Return which cases a column of scores is about, shape (cases,)."""
    mask = opened.applicable.get(column)
    if mask is None:
        return np.ones(len(opened.suite.cases), dtype=np.bool_)
    return np.frombuffer(mask, dtype=np.bool_)
