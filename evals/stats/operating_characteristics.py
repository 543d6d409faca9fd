"""What a sequential design does: how often it stops where, and what it costs on average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from evals.stats.spending import Density, advance, crossing


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
