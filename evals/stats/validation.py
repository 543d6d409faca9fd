"""What goes into a method is checked here, once: no NaN, no infinity, nothing empty.

Every error is a ValueError that names what is wrong, so that a check that can't be computed
fails closed with a reason instead of passing by accident.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Clusters: TypeAlias = Sequence[Hashable] | NDArray[np.generic]

# Averages over repeats may leave the range by a rounding error; more is a mistake.
_SLACK = 1e-9


def finite(values: ArrayLike, name: str) -> Floats:
    """Return `values` as a one-dimensional float array.

    Raises:
        ValueError: when empty, not one-dimensional, or not finite everywhere.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} is empty")
    if not np.isfinite(array).all():
        where = int(np.flatnonzero(~np.isfinite(array))[0])
        raise ValueError(f"{name} holds {array[where]} at position {where}")
    return array


def amounts(values: ArrayLike, name: str) -> Floats:
    """As `finite`, for amounts that may be infinite: the place of one among others can be known where its size is not."""
    array = np.asarray(values, dtype=np.float64)
    finite(np.where(np.isposinf(array), 0.0, array), name)
    return array


def within(values: ArrayLike, lo: float, hi: float, name: str) -> Floats:
    """Return `values` as floats in [lo, hi]; rounding errors at the ends are cut off.

    Raises:
        ValueError: as `finite`, when a value lies outside, or when lo >= hi.
    """
    if not (np.isfinite(lo) and np.isfinite(hi) and lo < hi):
        raise ValueError(f"the range of {name} must be finite with lo < hi, got [{lo}, {hi}]")
    array = finite(values, name)
    slack = _SLACK * (hi - lo)
    smallest, largest = float(array.min()), float(array.max())
    if smallest < lo - slack or largest > hi + slack:
        outside = smallest if smallest < lo - slack else largest
        raise ValueError(f"{name} holds {outside}, outside [{lo}, {hi}]")
    return np.clip(array, lo, hi)


def same_length(name: str, length: int, other_name: str, other: int) -> None:
    """Refuse two columns of different length: they can't belong to the same cases."""
    if length != other:
        raise ValueError(f"{name} has {length} entries but {other_name} has {other}")


def paired(candidate: ArrayLike, baseline: ArrayLike) -> tuple[Floats, Floats]:
    """Return the finite values of two models on the same cases. Raises ValueError as `finite` and `same_length`."""
    new, old = finite(candidate, "candidate"), finite(baseline, "baseline")
    same_length("candidate", new.size, "baseline", old.size)
    return new, old


def cluster_codes(clusters: Clusters, n: int) -> tuple[Ints, int]:
    """Number the clusters 0..G-1, whatever their labels are.

    Returns:
        codes of shape (n,) and the number of clusters G.

    Raises:
        ValueError: when there isn't one label for each of the n cases.
    """
    same_length("clusters", len(clusters), "values", n)
    if isinstance(clusters, np.ndarray) and clusters.dtype.kind in "iu":
        if n and clusters.min() >= 0 and clusters.max() < 8 * n + 64:
            # Small numbers are counted, not sorted; the codes come out in the same order.
            used = np.bincount(clusters) > 0
            return (np.cumsum(used) - 1)[clusters].astype(np.int64), int(used.sum())
        found, places = np.unique(clusters, return_inverse=True)
        return places.astype(np.int64), found.size
    labels = clusters.tolist() if isinstance(clusters, np.ndarray) else clusters
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    codes = np.fromiter((numbers[label] for label in labels), dtype=np.int64, count=n)
    return codes, len(numbers)


def tail(confidence: float) -> float:
    """Return alpha = 1 - confidence.

    Raises:
        ValueError: unless 0.5 < confidence < 1, where a one-sided bound makes sense.
    """
    if not 0.5 < confidence < 1.0:
        raise ValueError(f"confidence must be in (0.5, 1), got {confidence}")
    return 1.0 - confidence


def normal_critical(confidence: float) -> float:
    """Return z(confidence), from the small tail so that it stays exact close to 1."""
    return -float(special.ndtri(tail(confidence)))


def t_critical(confidence: float, df: float) -> float:
    """Return t(confidence, df); infinite when there are no degrees of freedom."""
    alpha = tail(confidence)
    return -float(special.stdtrit(df, alpha)) if df > 0 else float("inf")
