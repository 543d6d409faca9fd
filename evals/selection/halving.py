"""Successive halving: every rung asks those that are left more cases and drops the worse half, until one is chosen.

Jamieson and Talwalkar (2016), Non-stochastic best arm identification and hyperparameter optimization: each rung costs
about as many questions, so that most are spent on the candidates that are hard to tell apart. Which one is chosen here
costs nothing of the gate's promise: it is judged on cases that took no part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIN_CHOOSING", "Choice", "Scored", "choose", "left_after", "ranking", "rung_shares"]

MIN_CHOOSING = 20
"""With fewer cases for choosing, luck would choose; no rung drops anybody on fewer."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What one candidate showed in a rung: its place in the field, and its score, None where it could not be measured.

    `failed` is set when it clearly breaks a condition that it must hold, whatever the others do.
    """

    place: int
    score: float | None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Who was chosen (None: nobody could be), and who was left after each rung, by place in the field."""

    chosen: int | None
    left: tuple[tuple[int, ...], ...]


def rung_shares(candidates: int, cases: int) -> tuple[Fraction, ...]:
    """Return the share of the choosing part that has been asked after each rung, rising to 1.

    With k candidates there are ceil(log2 k) rungs; after the j-th of r rungs (2^j - 1) / (2^r - 1) of the cases have been
    asked, which costs about as much in each rung, since half as many are left. Early rungs of fewer than `MIN_CHOOSING`
    cases are widened to it, or left out where the next one is no larger.

    Raises:
        ValueError: fewer than two candidates, or no case.
    """
    if candidates < 2 or cases < 1:
        raise ValueError("expected at least two candidates and one case")
    count = math.ceil(math.log2(candidates))
    plain = (Fraction(2**rung - 1, 2**count - 1) for rung in range(1, count + 1))
    floor = min(Fraction(1), Fraction(MIN_CHOOSING, cases))
    return tuple(sorted({max(share, floor) for share in plain}))


def ranking(scored: Iterable[Scored], *, higher_is_better: bool) -> list[Scored]:
    """Return the candidates that can still be chosen, best first; of equal scores, who was named first comes first."""
    sign = -1.0 if higher_is_better else 1.0
    able = [one for one in scored if not one.failed and one.score is not None]
    able = [one for one in able if one.score is not None and math.isfinite(one.score)]
    return sorted(able, key=lambda one: (sign * (one.score or 0.0), one.place))


def left_after(
    scored: Sequence[Scored], *, higher_is_better: bool, last: bool = False
) -> tuple[int, ...]:
    """Return who is left after a rung, best first: the better half (rounded up) of those asked, the best after the last.

    Whoever clearly fails, or could not be measured, is never left.
    """
    best = ranking(scored, higher_is_better=higher_is_better)
    count = 1 if last else max(1, math.ceil(len(scored) / 2))
    return tuple(one.place for one in best[:count])


def choose(
    scores: NDArray[np.float64],
    *,
    higher_is_better: bool = True,
    fails: Callable[[NDArray[np.float64]], bool] | None = None,
) -> Choice:
    """Choose one of several candidates by their scores on the choosing part; pure, as a command does it.

    Args:
        scores: shape (candidates, cases), the cases in asking order; NaN is a missing answer and counts as 0 where
            higher is better, as infinity otherwise.
        higher_is_better: the good direction of the scores.
        fails: says of one candidate's scores so far, shape (asked,), whether it clearly fails; None for never.

    Raises:
        ValueError: fewer than two candidates, or no case.
    """
    candidates, cases = scores.shape
    complete = np.where(np.isnan(scores), 0.0 if higher_is_better else np.inf, scores)
    left: list[tuple[int, ...]] = []
    standing: tuple[int, ...] = tuple(range(candidates))
    shares = rung_shares(candidates, cases)
    for share in shares:
        asked = complete[:, : math.ceil(share * cases)]
        found = [
            Scored(place, float(asked[place].mean()), fails is not None and fails(asked[place]))
            for place in standing
        ]
        standing = left_after(found, higher_is_better=higher_is_better, last=share == shares[-1])
        left.append(standing)
        if len(standing) < 2:
            break
    return Choice(standing[0] if standing else None, tuple(left))
