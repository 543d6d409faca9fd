"""Does a model still answer a few cases as it always did? A look every hour, for ever, with a known rate of false triggers.

A model at temperature 0 is not deterministic, and cases that were chosen because they agreed will agree less from then on.
So nothing is assumed of how often an unchanged model differs from itself. All that is assumed: its answers to a case are
exchangeable over time, and cases are independent of one another. Then, of `asked` earlier answers to a case of which
`differed` were otherwise, and `again` new ones, each order was as likely as any other, and that all new ones are otherwise
has a chance of at most C(differed + again, again) / C(asked + again, again). One over that is an e-value: on average at most
1 for a model that did not change (Vovk & Wang 2021; conformal testing, Vovk, Gammerman & Shafer 2005).

The e-values of all cases are multiplied, each diluted, as a gambler who does not know how many cases a change would reach:
the mean over several shares w of the products of (1 - w + w e). Cases that were looked at and not chosen, since they did not
agree, stay in the product with e = 0: that pays for the choice. By Markov's inequality a look passes a bar b with a chance of
at most 1 / b, whatever was seen before, so that of b looks at most one triggers on average.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = [
    "CHOOSING_BAR",
    "LOOKS_A_YEAR",
    "MOST_E",
    "e_of_case",
    "e_of_turn",
    "e_together",
    "fewest_differing",
]

LOOKS_A_YEAR = 366 * 24
"""Hourly looks in the longest year: the bar that a look has to pass, for at most one false trigger in that many looks."""
CHOOSING_BAR = 20.0
"""The bar when cases are chosen and their answers held against kept ones: wrong at most once in twenty choices."""
MOST_E = 100.0
"""No case weighs more, however long it agreed: a service may well be noisier than it was for weeks."""
_SHARES = (0.1, 0.2, 0.35, 0.6)


def e_of_case(asked: int, differed: int, again: int) -> float:
    """The e-value of a case all of whose `again` new answers are otherwise, at most `MOST_E`.

    Args:
        asked: earlier answers to the case, more than `again`.
        differed: how many of those were otherwise than the first ones, which all agreed.
        again: new answers, at least 1.

    Raises:
        ValueError: for counts that can't be.
    """
    if not 0 <= differed <= asked or not again >= 1:
        raise ValueError(
            f"expected 0 <= differed <= asked and again >= 1, got {differed}, {asked}, {again}"
        )
    return min(MOST_E, math.comb(asked + again, again) / math.comb(differed + again, again))


def e_of_turn(kept: int, again: int) -> float:
    """The e-value of a case whose `kept` earlier answers agree and whose `again` new ones agree on something else.

    Raises ValueError unless there is one of each at least.
    """
    if kept < 1 or again < 1:
        raise ValueError(f"expected answers before and after, got {kept} and {again}")
    # With as many before as after, the same two answers could have come the other way round, too.
    return math.comb(kept + again, again) / (2.0 if kept == again else 1.0)


def e_together(cases: Sequence[float], passed_over: int = 0) -> float:
    """Merge the e-values of independent cases: 0 for one that answers as before. `passed_over` are cases not chosen.

    Raises ValueError for a negative e-value.
    """
    values = np.asarray(cases, dtype=np.float64)
    if not np.all(values >= 0.0):
        raise ValueError("expected e-values of 0 or more")
    logs = [
        passed_over * math.log1p(-share) + float(np.log1p(share * (values - 1.0)).sum())
        for share in _SHARES
    ]
    return math.exp(min(float(np.logaddexp.reduce(logs)) - math.log(len(_SHARES)), 700.0))


def fewest_differing(cases: Sequence[float], passed_over: int, bar: float) -> int | None:
    """How many of the cases have to differ for `bar` to be passed, whichever they are; None when all are not enough.

    `cases` are the e-values that each would have.
    """
    weakest = sorted(cases)
    for number in range(1, len(weakest) + 1):
        found = [*weakest[:number], *([0.0] * (len(weakest) - number))]
        if e_together(found, passed_over) >= bar:
            return number
    return None
