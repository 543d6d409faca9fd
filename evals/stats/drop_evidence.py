"""Evidence that a model has fallen below its own recorded answers by more than a margin, over weeks, on the same cases.

The cases are the same every week, and so is the reference. Sums of e-values (`evals.stats.merge_evalues`) stand that, and find a
drop that comes late hardly ever: what is first seen in week k needs k (k + 1) times the evidence. Here the cases are taken as
given instead: the question is whether the model has become worse *on these cases*. Then only its answers are random, they are
drawn anew each week, and the evidence of weeks may be multiplied.

Given the cases, let p_i be what the model scored on case i on average when the reference was taken, R_i the reference itself, and
X_i the score of a week. Two things are random:

The reference. Its mean lies above that of the p_i by more than `allowance` with a chance of at most alpha / 2: its noise is measured
by two draws of the same model, of which one may be the week's own (then twice as high as it is, never lower). This is paid once,
for ever.

The weeks. Off that chance, as long as the mean of the model is no worse than that of the p_i by more than the margin, the D_i = X_i - R_i
have a mean of at least bar = -(margin + allowance), and a gambler who stakes a share s on "below the bar", case by case, has a
capital whose expectation given all weeks before is at most 1: the answers to different cases are independent, and for factors that
are linear in D_i the product of the expectations is at most that of equal ones (inequality of the means). The capital of weeks j to w is a
product, and a supermartingale.

Nobody knows when the drop comes. So a gambler starts in every week j, with a share of the money w_j = c / ((j + c - 1) (j + c)), which
adds up to 1 over all weeks. All gamblers together own a supermartingale that begins with 1: it ever reaches 2 / alpha with a chance
of at most alpha / 2 (Ville 1939). Both chances together are alpha, over all weeks for ever. After a drop in week j the evidence grows
exponentially, and the start costs log(1 / w_j) once.

This is an e-detector (Shin, Ramdas & Rinaldo 2024) with weights that add up to 1, so that the chance of a false alarm is bounded and
not only its frequency; the stakes are those of `evals.stats.betting.log_e_below`, mixed over all weeks at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from evals.stats.betting import STAKES
from evals.stats.validation import Floats, within

__all__ = ["EARLY", "allowance", "log_capitals", "log_together"]

EARLY = 12
"""Weeks in which a start costs about the same; later ones cost more."""


def allowance(first: ArrayLike, second: ArrayLike, *, alpha: float, same_model: bool) -> float:
    """Return by how much the mean of the reference may lie above that of its model, but for a chance of alpha.

    Args:
        first: the reference, shape (n,).
        second: another draw of scores for the same cases, in the same order.
        alpha: the chance, in (0, 1).
        same_model: whether it is known to be a draw of the same model, so that half of their squared differences is the
            noise of one; else all of it, which is no less.

    The bound is normal, with the term of Bernstein's inequality for what few cases can hide.
    """
    ours, theirs = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    n = ours.size
    if n == 0 or ours.shape != theirs.shape:
        raise ValueError(
            f"expected two draws of the same cases, got {ours.shape} and {theirs.shape}"
        )
    squares = float(np.square(ours - theirs).sum())
    variance = squares / n / (2.0 if same_model else 1.0)
    z = float(stats.norm.isf(alpha))
    return z * math.sqrt(variance / n) + math.log(1.0 / alpha) / (3.0 * n)


def log_capitals(differences: ArrayLike, bar: float, *, span: float = 1.0) -> tuple[float, ...]:
    """Return the log of what each gambler on "below the bar" makes of 1 in one week, shape (stakes,).

    Args:
        differences: week minus reference, shape (n,), in [-span, span].
        bar: the mean under which the model is worse than allowed, in (-span, span).
        span: largest difference of two scores.

    Raises:
        ValueError: for out-of-range values, or a bar outside.
    """
    array = within(differences, -span, span, "differences")
    if not -span < bar < span:
        raise ValueError(f"the bar must be in ({-span}, {span}), got {bar}")
    scaled, m = (array + span) / (2 * span), (bar + span) / (2 * span)
    return tuple(float(np.log1p(stake / (1.0 - m) * (m - scaled)).sum()) for stake in STAKES)


def log_together(weeks: Sequence[Sequence[float] | None]) -> float:
    """Return the log of what all gamblers own after the last of some weeks, in their order; None is a week without evidence.

    Compared with log(1 / alpha) it may be looked at every week.
    """
    own: Floats = np.full(len(STAKES), -math.inf)
    for week, gains in enumerate(weeks, start=1):
        own = np.logaddexp(own, math.log(EARLY / ((week + EARLY - 1) * (week + EARLY))))
        if gains is not None:
            own = own + np.asarray(gains, dtype=np.float64)
    return float(np.logaddexp.reduce(own)) - math.log(len(STAKES))
