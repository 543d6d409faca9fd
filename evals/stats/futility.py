"""Giving up early: when even a good candidate could hardly pass any more.

Stopping for futility is non-binding: it never promotes anything, so the error rate holds
whether or not it is kept to. It is what saves calls on a candidate that is about as good as the
margin allows, or worse. Such a check ends INCONCLUSIVE ("would not pass"), not FAIL.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special

from evals.stats.interval import Interval

FUTILE_BELOW = 0.2


def conditional_power(
    z: float, fraction: float, *, drift: float, final_boundary: float, final_fraction: float = 1.0
) -> float:
    """Probability of still passing at the last look, given z now (Lan, Simon & Halperin 1982).

    Args:
        z: statistic at this look, against the check's threshold.
        fraction: information fraction of this look.
        drift: expected z at fraction 1 under the hope held against it: theta =
            margin * sqrt(n_max) / sd of a difference, for "the models are equal".
        final_boundary: z needed at the last look.
        final_fraction: information fraction of the last look.

    Raises:
        ValueError: unless 0 < fraction <= final_fraction.
    """
    if not 0.0 < fraction <= final_fraction:
        raise ValueError(f"fraction must be in (0, {final_fraction}], got {fraction}")
    left = final_fraction - fraction
    needed = final_boundary * math.sqrt(final_fraction) - z * math.sqrt(fraction)
    if left <= 0.0:
        return float(needed <= 0.0)
    return float(special.ndtr((drift * left - needed) / math.sqrt(left)))


def futility_boundaries(
    fractions: Sequence[float], upper: Sequence[float], *, drift: float, below: float = 0.2
) -> tuple[float, ...]:
    """The z below which conditional power is under `below` at each look; none at the last.

    Non-binding: the upper boundaries hold alpha whether or not these are kept to.
    """
    wanted = float(special.ndtri(below))
    final, last = fractions[-1], upper[-1]
    limits = []
    for time in fractions[:-1]:
        left = final - time
        needed = last * math.sqrt(final) - drift * left + wanted * math.sqrt(left)
        limits.append(needed / math.sqrt(time))
    return (*limits, -math.inf)


def implied_z(interval: Interval, threshold: float) -> float:
    """The statistic that an interval implies: how many of its standard errors to the bar.

    For score methods it has the right sign and is exact at the boundary; in between it is
    close enough for futility, which doesn't touch the error rate.
    """
    gap = interval.estimate - threshold
    bound = interval.lower if gap > 0.0 else interval.upper
    reach = abs(interval.estimate - bound)
    critical = -float(special.ndtri(1.0 - interval.confidence))
    if gap == 0.0 or math.isinf(reach):
        return 0.0
    return math.copysign(math.inf, gap) if reach == 0.0 else critical * gap / reach


def is_futile(
    interval: Interval,
    threshold: float,
    fraction: float,
    *,
    hoped_for: float,
    final_boundary: float,
    below: float = FUTILE_BELOW,
) -> bool:
    """Whether going on is pointless: conditional power under `below`, if the truth were
    `hoped_for` (0 for "the models are equal" on a difference).

    Args:
        interval: at this look, lower side and upper side finite.
        threshold: of the check; larger is better.
        fraction: information fraction of this look; at 1 nothing is futile any more.
        hoped_for: value of the metric under which the chance is computed, above the threshold.
        final_boundary: z needed at the last planned look.
        below: conditional power that counts as futile.
    """
    if fraction >= 1.0 or interval.width == 0.0 or math.isinf(interval.width):
        return False
    critical = -float(special.ndtri(1.0 - interval.confidence))
    se = interval.width / (2.0 * critical)
    drift = (hoped_for - threshold) / (se * math.sqrt(fraction))
    z = implied_z(interval, threshold)
    power = conditional_power(z, fraction, drift=drift, final_boundary=final_boundary)
    return power < below
