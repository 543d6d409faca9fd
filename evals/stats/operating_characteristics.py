"""What a sequential design does: how often it stops where, and what it costs on average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import optimize, special

from evals.stats.spending import Density, advance, crossing
from evals.stats.validation import tail


class StoppingProbabilities(NamedTuple):
    """Stopping probabilities of a design under one drift.

    `upper` and `lower` are by look; `power` is the sum of `upper`; `expected_fraction` is the
    mean share of the maximum sample that is used.
    """

    power: float
    stopped_low: float
    expected_fraction: float
    upper: tuple[float, ...]
    lower: tuple[float, ...]


class ClassicalDesign(NamedTuple):
    """A constant-shape two-sided design and its sample size over the fixed one's."""

    boundaries: tuple[float, ...]
    inflation: float


def operating_characteristics(
    fractions: Sequence[float],
    upper: Sequence[float],
    *,
    drift: float,
    lower: Sequence[float] | None = None,
) -> StoppingProbabilities:
    """Integrate the stopping probabilities look by look (Jennison & Turnbull 2000, ch. 19).

    Args:
        fractions: information fraction of each look, rising to at most 1.
        upper: z boundaries; stopping there is "promote".
        drift: expected z at fraction 1.
        lower: z boundaries below which the design stops too (fail, or futility); none if
            left out.

    Raises:
        ValueError: for boundaries that don't match the fractions.
    """
    bottom = [-math.inf] * len(fractions) if lower is None else list(lower)
    if not len(fractions) == len(upper) == len(bottom) > 0:
        raise ValueError("there must be one boundary for each fraction")
    density: Density | None = None
    high: list[float] = []
    low: list[float] = []
    steps = np.diff(np.asarray(fractions), prepend=0.0)
    for look, time in enumerate(fractions):
        step = float(steps[look])
        going = 1.0 if density is None else density.mass
        high.append(crossing(density, time, step, upper[look], drift))
        # At a final look the lower limit may lie above the upper one: above wins.
        floor = min(bottom[look], upper[look])
        low.append(max(0.0, going - crossing(density, time, step, floor, drift)))
        following = float(steps[look + 1]) if look + 1 < len(fractions) else step
        density = advance(density, time, step, (floor, upper[look]), drift, following)
    stopped = np.array(high[:-1]) + np.array(low[:-1])
    saved = float(stopped @ (fractions[-1] - np.asarray(fractions[:-1])))
    return StoppingProbabilities(
        sum(high), sum(low), fractions[-1] - saved, tuple(high), tuple(low)
    )


def classical_design(
    looks: int,
    *,
    confidence: float = 0.975,
    shape: Literal["obf", "pocock"] = "obf",
    power: float = 0.9,
) -> ClassicalDesign:
    """Two-sided boundaries of constant shape at equal looks.

    O'Brien & Fleming (1979): c sqrt(K / k); Pocock (1977): c. The inflation is the maximum
    sample over that of a fixed design with the same `power`.

    Args:
        looks: number of equally spaced looks, >= 1.
        confidence: of each side alone.
        shape: which of the two.
        power: of the design the inflation is for.

    Raises:
        ValueError: for no look, or a power not above 1 - confidence.
    """
    alpha = tail(confidence)
    if looks < 1 or not alpha < power < 1.0:
        raise ValueError("a design needs a look, and a power between alpha and 1")
    fractions = [(look + 1) / looks for look in range(looks)]
    scale = [math.sqrt(1.0 / time) if shape == "obf" else 1.0 for time in fractions]

    def promoted(constant: float, drift: float) -> float:
        upper = [constant * part for part in scale]
        lower = [-bound for bound in upper]
        return operating_characteristics(fractions, upper, drift=drift, lower=lower).power

    constant = optimize.brentq(lambda c: promoted(c, 0.0) - alpha, 0.5, 8.0, xtol=1e-10)
    fixed = -float(special.ndtri(alpha)) + float(special.ndtri(power))
    drift = optimize.brentq(lambda d: promoted(constant, d) - power, 0.0, 3.0 * fixed, xtol=1e-10)
    return ClassicalDesign(tuple(constant * part for part in scale), (drift / fixed) ** 2)
