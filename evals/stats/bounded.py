"""The bounded score test: one method for 0/1, graded, paired, repeated and clustered scores.

For n values known to lie in [lo, hi] and a null mean m0, fit the distribution on the observed
values plus both end points that has mean m0 and the highest likelihood, take its variance v0,
and compare z = sqrt(n) (mean - m0) / sqrt(v0) with a quantile. On 0/1 values this is Wilson's
(1927) score test, on -1/0/1 values Tango's (1998). The fit is Owen's (1988) empirical
likelihood with the end points added, as in Waudby-Smith & Ramdas's bounded means.

Two identities make it fast. Scale the values to gaps x in [0, 1] and let y = x + e for an
offset e >= 0. The fitted weights are proportional to 1/y with the offset at which the harmonic
mean of y minus e is m0 (e = 0, with the weight left over on the end point, when m0 is below the
harmonic mean of x itself). Then v0 = (mean - m0) (m0 + e), hence

    z^2 = n (mean - m0) / (m0 + e)

and z reaches q where arithmetic over harmonic mean of y is 1 + r, with r = q^2 / n. So the
bound is one root in e, and in closed form: mean - (mean + e) r / (1 + r).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from evals.stats.validation import Floats, normal_critical, within


class ScoreTest(NamedTuple):
    """A score statistic and its upper normal tail (evidence that the mean is above the null)."""

    z: float
    p_value: float


class _Shape(NamedTuple):
    """Distinct gaps from the lower end, in [0, 1], and the share of the values at each."""

    gaps: Floats
    shares: Floats
    mean: float

    def mirrored(self) -> _Shape:
        return _Shape(1.0 - self.gaps, self.shares, 1.0 - self.mean)


def bounded_score_test(
    values: ArrayLike,
    null_mean: float,
    *,
    lo: float = 0.0,
    hi: float = 1.0,
    design_effect: float = 1.0,
) -> ScoreTest:
    """Test "the mean is above `null_mean`" for values known to lie in [lo, hi].

    Args:
        values: shape (n,), in the units of the score.
        null_mean: m0, in [lo, hi].
        lo: smallest possible value.
        hi: largest possible value.
        design_effect: every count is divided by it (clustered cases), >= 1.

    Raises:
        ValueError: for empty or non-finite values, or values or m0 outside [lo, hi].
    """
    array = within(values, lo, hi, "values")
    if not lo <= null_mean <= hi:
        raise ValueError(f"null_mean {null_mean} is outside [{lo}, {hi}]")
    shape = _shape(array, lo, hi)
    null = (null_mean - lo) / (hi - lo)
    n = array.size / design_effect
    below = shape.mean < null
    z = -_score(shape.mirrored(), 1.0 - null, n) if below else _score(shape, null, n)
    return ScoreTest(z, float(special.ndtr(-z)))


def bounded_score_bounds(
    values: ArrayLike,
    *,
    confidence: float = 0.95,
    lo: float = 0.0,
    hi: float = 1.0,
    design_effect: float = 1.0,
    critical: float | None = None,
) -> tuple[float, float]:
    """Return the one-sided lower and upper bound of the mean, each at `confidence`.

    The interval never has width 0, whatever the values, and both bounds rise with every value.

    Args:
        values: shape (n,).
        confidence: of each bound alone.
        lo: smallest possible value.
        hi: largest possible value.
        design_effect: every count is divided by it.
        critical: quantile to use instead of z(confidence), such as t(confidence, G - 1).

    Raises:
        ValueError: as `bounded_score_test`; for a confidence outside (0.5, 1).
    """
    array = within(values, lo, hi, "values")
    quantile = normal_critical(confidence) if critical is None else critical
    if math.isinf(quantile):
        return lo, hi
    shape = _shape(array, lo, hi)
    ratio = quantile**2 * design_effect / array.size
    span = hi - lo
    return lo + span * _lower(shape, ratio), hi - span * _lower(shape.mirrored(), ratio)


def _shape(values: Floats, lo: float, hi: float) -> _Shape:
    distinct, counts = np.unique(values, return_counts=True)
    gaps = (distinct - lo) / (hi - lo)
    # A gap that small is rounding, and its square or inverse couldn't be computed with.
    gaps = np.where(gaps < 1e-15, 0.0, gaps)
    shares = counts / values.size
    return _Shape(gaps, shares, min(1.0, max(0.0, float(shares @ gaps))))


def _dispersion(shape: _Shape, offset: float) -> float:
    """Arithmetic over harmonic mean of y = gaps + offset, minus 1, without cancellation."""
    y = shape.gaps + offset
    centre = shape.mean + offset
    if centre == 0.0:
        return 0.0
    with np.errstate(divide="ignore", over="ignore"):
        return float(shape.shares @ (np.square(y - centre) / y)) / centre


def _score(shape: _Shape, null: float, n: float) -> float:
    """The statistic for a null at or below the mean, on the scale [0, 1]."""
    distance = shape.mean - null
    if distance <= 0.0:
        return 0.0

    def inverse_distance(offset: float) -> float:
        spread = _dispersion(shape, offset)
        share = 1.0 if math.isinf(spread) else spread / (1.0 + spread)
        return 1.0 / max((shape.mean + offset) * share, 1e-300) - 1.0 / distance

    # Kantorovich's inequality: the harmonic mean falls short by at most 1 / (4 offset).
    offset = _offset(inverse_distance, 0.25 / distance)
    return math.sqrt(n * distance / (null + offset)) if null + offset > 0.0 else math.inf


def _lower(shape: _Shape, ratio: float) -> float:
    """The lower bound on the scale [0, 1], for ratio = quantile^2 / n."""
    if ratio == 0.0:
        return shape.mean

    def inverse_spread(offset: float) -> float:
        spread = _dispersion(shape, offset)
        return 1.0 / math.sqrt(max(spread, 1e-300)) - 1.0 / math.sqrt(ratio)

    # Kantorovich again: the dispersion is at most 1 / (4 offset^2).
    offset = _offset(inverse_spread, 0.5 / math.sqrt(ratio))
    bound = shape.mean - (shape.mean + offset) * ratio / (1.0 + ratio)
    return min(shape.mean, max(0.0, bound))


def _offset(rising: Callable[[float], float], top: float) -> float:
    """Root of a rising function in [0, top]; 0 when it starts above 0 (weight on the end)."""
    if rising(0.0) >= 0.0:
        return 0.0
    while rising(top) < 0.0:  # only a rounding error can make this happen
        top *= 2.0
    return float(optimize.brentq(rising, 0.0, top, xtol=1e-14, rtol=1e-14))
