"""Grids of (case, repeat): what is filled in one answer at a time and read as whole columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grid"]


class Grid:
    """An array of shape (cases, repeats) that starts empty, grows by repeats, and refuses to be filled twice in one place."""

    def __init__(self, cases: int, repeats: int, empty: float, dtype: Any) -> None:
        self._empty = empty
        self._values = np.full((cases, repeats), empty, dtype=dtype)
        self._filled = np.zeros((cases, repeats), dtype=np.bool_)

    def put(self, row: int, repeat: int, value: float) -> bool:
        """Fill a place; return False, and change nothing, when it was filled before."""
        missing = repeat + 1 - self._values.shape[1]
        if missing > 0:
            room = ((0, 0), (0, missing))
            self._values = np.pad(self._values, room, constant_values=self._empty)
            self._filled = np.pad(self._filled, room)
        if self._filled[row, repeat]:
            return False
        self._values[row, repeat] = value
        self._filled[row, repeat] = True
        return True

    def values(self, repeats: int) -> NDArray[Any]:
        """Return the array, widened to so many repeats."""
        room = ((0, 0), (0, repeats - self._values.shape[1]))
        return np.pad(self._values, room, constant_values=self._empty)

    def means(self) -> NDArray[np.float64]:
        """Return the mean of each case over its repeats, shape (cases,); NaN where all are NaN."""
        if self._values.shape[1] == 1:
            return np.asarray(self._values[:, 0], dtype=np.float64)
        known = ~np.isnan(self._values)
        count = known.sum(axis=1)
        total = np.where(known, self._values, 0.0).sum(axis=1)
        return np.asarray(np.where(count == 0, np.nan, total / np.maximum(count, 1)))

    def shares(self, repeats: int) -> NDArray[np.float64] | None:
        """Return which share of so many repeats each case has, shape (cases,); None when every case has all or none."""
        if repeats == 1:
            return None
        found = (~np.isnan(self._values)).sum(axis=1) / repeats
        return np.asarray(found) if bool(((found > 0) & (found < 1)).any()) else None
