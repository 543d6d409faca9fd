"""Looking whenever one likes, without a plan: betting confidence sequences.

For regression runs week after week: the bounds hold at all times at once, so no schedule has
to be kept. They are wider than those of a plan; a gate that knows its n_max uses `sequential`.

A gambler bets on "the mean is above m" at fair odds; capital K after seeing x is a product of
1 + b (x - m). If the mean were m, it would reach 1 / alpha with probability at most alpha
(Ville 1939). The bets are the predictable plug-in of Waudby-Smith & Ramdas (2024).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from evals.stats.interval import Interval
from evals.stats.validation import Floats, tail, within

Bet = float | Literal["predmix_eb"]

_CLOSEST = 1e-9
STAKES = tuple(0.9 * (step / 20) ** 2 for step in range(1, 21))
"""Shares of what may be staked at most."""


class Capital(NamedTuple):
    """Capital after each value of a gambler on "above m" and one on "below m", shape (n,)."""

    up: Floats
    down: Floats


def betting_capital(
    x: ArrayLike,
    m: float,
    *,
    bet: Bet = "predmix_eb",
    alpha: float = 0.05,
    trunc_scale: float = 0.5,
) -> Capital:
    """Capital of both gamblers after each value.

    Args:
        x: shape (n,), in [0, 1], in the order seen.
        m: mean bet against, in (0, 1).
        bet: the predictable empirical-Bernstein plug-in, or a constant >= 0; either is what both gamblers stake.
        alpha: the plug-in is tuned for it.
        trunc_scale: largest share of the capital that may be lost at once.

    Raises:
        ValueError: for values outside [0, 1], m outside (0, 1), or a constant that is negative or no number.
    """
    values = within(x, 0.0, 1.0, "x")
    if not 0.0 < m < 1.0:
        raise ValueError(f"m must be in (0, 1), got {m}")
    if bet == "predmix_eb":
        wanted, most = _plug_in(values, alpha), trunc_scale
    elif float(bet) >= 0.0:
        # A constant may stake everything, but never more.
        wanted, most = np.full(values.size, float(bet)), 1.0
    else:
        raise ValueError(f"bet must be at least 0, got {bet}")
    up = np.minimum(wanted, most / m)
    down = np.minimum(wanted, most / (1.0 - m))
    return Capital(_grown(up * (values - m)), _grown(down * (m - values)))


def betting_bounds(
    values: ArrayLike, *, confidence: float = 0.95, lo: float = 0.0, hi: float = 1.0
) -> Interval:
    """Bounds of the mean that hold at all times at once (hedged capital, theta = 1/2).

    Unlike every other method here the order of the values matters: it is the order of time.

    Args:
        values: shape (n,), in [lo, hi]; differences of paired scores lie in [lo - hi, hi - lo].
        confidence: of each bound alone, over all looks together.
        lo: smallest possible value.
        hi: largest possible value.

    Returns:
        the running intersection up to the last value; [lo, hi] where it is empty, as when
        the mean has moved.

    Raises:
        ValueError: for empty, non-finite or out-of-range values.
    """
    array = within(values, lo, hi, "values")
    alpha = tail(confidence)
    scaled = (array - lo) / (hi - lo)
    lower = _bound(scaled, alpha)
    upper = 1.0 - _bound(1.0 - scaled, alpha)
    mean = float(array.mean())
    low, high = lo + (hi - lo) * lower, lo + (hi - lo) * upper
    if low > high:
        low, high = lo, hi
    return Interval(
        lower=low,
        upper=high,
        estimate=mean,
        n=array.size,
        method="betting",
        confidence=confidence,
    )


def log_e_value(values: ArrayLike, null_mean: float, *, lo: float = 0.0, hi: float = 1.0) -> float:
    """Log of the largest capital reached against "the mean is at most `null_mean`".

    Above log(1 / alpha) the null is rejected at level alpha, whenever one looked.

    Raises:
        ValueError: for out-of-range values, or a null outside (lo, hi).
    """
    array = within(values, lo, hi, "values")
    if not lo < null_mean < hi:
        raise ValueError(f"null_mean must be in ({lo}, {hi}), got {null_mean}")
    scaled = (array - lo) / (hi - lo)
    return _best_log_capital(scaled, (null_mean - lo) / (hi - lo), 0.05)


def log_e_below(values: ArrayLike, bar: float, *, lo: float = 0.0, hi: float = 1.0) -> float:
    """Log of an e-value against "the mean is at least `bar`": what gamblers on "below" end with on average.

    Twenty of them stake constant shares, from hardly anything to nearly all; the average of their capitals is within
    a factor of twenty of the best one's (Waudby-Smith & Ramdas 2024, section 5, on grids of bets). Valid also for a
    sample whose size was settled by what was seen. Unlike `log_e_value` it is no largest capital on the way, so that
    it may be merged with others (see `evals.stats.merge_evalues`). The order of the values does not matter.

    Args:
        values: shape (n,), in [lo, hi]: independent draws.
        bar: in (lo, hi).
        lo: smallest possible value.
        hi: largest possible value.

    Raises:
        ValueError: for empty, non-finite or out-of-range values, or a bar outside (lo, hi).
    """
    array = within(values, lo, hi, "values")
    if not lo < bar < hi:
        raise ValueError(f"the bar must be in ({lo}, {hi}), got {bar}")
    scaled, m = (array - lo) / (hi - lo), (bar - lo) / (hi - lo)
    gains = [float(np.log1p(stake / (1.0 - m) * (m - scaled)).sum()) for stake in STAKES]
    return float(np.logaddexp.reduce(gains)) - math.log(len(STAKES))


def _grown(gains: Floats) -> Floats:
    return np.cumprod(1.0 + gains).astype(np.float64)


def _plug_in(x: Floats, alpha: float) -> Floats:
    """Bets from the past only: prior mean 1/2, prior variance 1/4, one fake observation."""
    t = np.arange(1, x.size + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum(np.square(x - mean))) / (t + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    bets: Floats = np.sqrt(2.0 * math.log(1.0 / alpha) / (t * np.log1p(t) * before))
    return bets


def _best_log_capital(x: Floats, m: float, alpha: float) -> float:
    bets = np.minimum(_plug_in(x, alpha), 0.5 / m)
    return float(np.max(np.cumsum(np.log1p(bets * (x - m)))))


def _bound(x: Floats, alpha: float) -> float:
    """Largest m that the gambler on "above" has ruined; capital falls in m, so one root.

    Hedging halves the stake of each side, and a one-sided alpha is half the two-sided one:
    so a side's own capital must reach 1 / alpha.
    """
    goal = math.log(1.0 / alpha)

    def excess(m: float) -> float:
        return _best_log_capital(x, m, alpha) - goal

    top = 1.0 - _CLOSEST
    if excess(_CLOSEST) <= 0.0:
        return 0.0
    if excess(top) >= 0.0:
        return top
    return float(optimize.brentq(excess, _CLOSEST, top, xtol=1e-9))
