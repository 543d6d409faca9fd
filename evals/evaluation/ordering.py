"""The order in which cases are asked: random, yet every prefix is a fair sample of every stratum.

A run that stops early has then seen each slice in proportion, and the cases still to come are no different from
those already asked. The order depends on the seed alone, so that a resumed run makes the same looks.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from evals.cases.table import CaseTable

__all__ = ["look_sizes", "stratified_order"]

MAX_LOOKS = 10
MIN_FIRST_LOOK = 30


def stratified_order(cases: CaseTable, tags: Iterable[str], seed: str) -> NDArray[np.int64]:
    """Return the positions of `cases` in asking order, shape (cases,).

    Each stratum (a combination of the values of `tags`) is shuffled, and its cases are spread evenly over the whole
    order: the k-th of m is put at a random point of the k-th of m equal parts.

    Args:
        cases: all cases of a suite.
        tags: names of the tags that make the strata.
        seed: any text; the same text gives the same order.
    """
    # An interim look is a fair preview of the whole only if each slice has its share of every beginning of the order.
    strata = _strata(cases, sorted(tags))
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))
    places = np.empty(len(cases))
    for key in sorted(strata):
        members = rng.permutation(strata[key])
        places[members] = (np.arange(len(members)) + rng.random(len(members))) / len(members)
    return np.asarray(np.argsort(places, kind="stable"), dtype=np.int64)


def _strata(cases: CaseTable, names: Sequence[str]) -> dict[tuple[str, ...], array[int]]:
    """The positions of the cases by their values of some tags."""
    known = cases.tags
    columns = [known[name].each() if name in known else repeat("", len(cases)) for name in names]
    keys = zip(*columns, strict=True) if columns else repeat((), len(cases))
    strata: dict[tuple[str, ...], array[int]] = {}
    for position, key in enumerate(keys):
        if key not in strata:
            strata[key] = array("q")
        strata[key].append(position)
    return strata


def look_sizes(cases: int, looks: int) -> tuple[int, ...]:
    """Return how many cases have been asked at each look: equal steps, the last one all.

    Looks are fewer when the first would rest on less than 30 cases.
    """
    if cases < 1:
        raise ValueError("a suite without cases has no looks")
    count = max(1, min(looks, MAX_LOOKS, cases // MIN_FIRST_LOOK))
    return tuple(-(-cases * step // count) for step in range(1, count + 1))
