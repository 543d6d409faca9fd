"""How much of alpha may be used up by when, and the boundaries that use it up exactly.

Lan & DeMets (1983): with cumulative alpha a(t) allowed at information fraction t, the
boundary of each look is solved from those before it. The joint density of the statistic is
carried from look to look by numerical integration (Armitage, McPherson & Rowe 1969; Jennison
& Turnbull 2000, chapter 19), here with Gauss-Legendre nodes on the part not yet stopped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from scipy import optimize, special

from evals.stats.validation import Floats

Spending = Literal["obf", "pocock", "power"]

# Beyond this many standard deviations there is no probability worth integrating.
_FAR = 8.5
# A share of alpha smaller than this gives no boundary: the look can't decide.
_NOTHING = 1e-15
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


class Density(NamedTuple):
    """Of the score process at one look, over the paths that have not been stopped."""

    nodes: Floats
    masses: Floats

    @property
    def mass(self) -> float:
        """Probability of going on."""
        return float(self.masses.sum())


def alpha_spent(
    fractions: Sequence[float], *, alpha: float = 0.05, spending: Spending = "power", rho: float = 2
) -> tuple[float, ...]:
    """Cumulative alpha allowed at each information fraction.

    ``"obf"``: 2 - 2 Phi(z(1 - alpha/2) / sqrt(t)); ``"pocock"``: alpha ln(1 + (e - 1) t);
    ``"power"``: alpha t^rho (Kim & DeMets 1987).

    Raises:
        ValueError: for fractions that don't rise strictly within (0, 1], alpha outside
            (0, 0.5), an unknown spending function, or rho <= 0.
    """
    times = np.asarray(fractions, dtype=np.float64)
    if times.size == 0 or not (np.diff(times, prepend=0.0) > 0.0).all() or times[-1] > 1.0:
        raise ValueError(f"fractions must rise strictly within (0, 1], got {list(fractions)}")
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha must be in (0, 0.5), got {alpha}")
    if spending == "obf":
        spent = 2.0 * special.ndtr(special.ndtri(alpha / 2.0) / np.sqrt(times))
    elif spending == "pocock":
        spent = alpha * np.log1p((math.e - 1.0) * times)
    elif spending == "power" and rho > 0.0:
        spent = alpha * times**rho
    else:
        raise ValueError(f"unknown spending function {spending!r} with rho {rho}")
    return tuple(float(share) for share in spent)


def spending_boundaries(
    fractions: Sequence[float], *, alpha: float = 0.05, spending: Spending = "power", rho: float = 2
) -> tuple[float, ...]:
    """One-sided upper z boundary of each look; infinite where too little alpha is allowed.

    There is no lower boundary in it: stopping for futility doesn't need to be kept to.
    Arguments and errors as `alpha_spent`.
    """
    return _boundaries(tuple(map(float, fractions)), float(alpha), spending, float(rho))


@lru_cache(maxsize=4096)
def _boundaries(
    fractions: tuple[float, ...], alpha: float, spending: Spending, rho: float
) -> tuple[float, ...]:
    spent = alpha_spent(fractions, alpha=alpha, spending=spending, rho=rho)
    boundaries: list[float] = []
    density: Density | None = None
    before = 0.0
    for look, (time, total) in enumerate(zip(fractions, spent, strict=True)):
        step = time - (fractions[look - 1] if look else 0.0)
        boundary = _solve(density, time, step, total - before)
        boundaries.append(boundary)
        before = total
        following = fractions[look + 1] - time if look + 1 < len(fractions) else step
        density = advance(density, time, step, (-math.inf, boundary), 0.0, following)
    return tuple(boundaries)


def _solve(density: Density | None, time: float, step: float, allowed: float) -> float:
    """Boundary z that is newly crossed with probability `allowed`."""
    if allowed < _NOTHING:
        return math.inf
    if density is None:
        return -float(special.ndtri(allowed))

    def excess(boundary: float) -> float:
        return crossing(density, time, step, boundary, 0.0) - allowed

    if excess(_FAR) >= 0.0:
        return _FAR
    return float(optimize.brentq(excess, -_FAR, _FAR, xtol=1e-10))


def crossing(
    density: Density | None, time: float, step: float, boundary: float, drift: float
) -> float:
    """Probability of being above z `boundary` at this look, not having stopped before."""
    if math.isinf(boundary):
        return 0.0 if boundary > 0.0 else (1.0 if density is None else density.mass)
    edge = boundary * math.sqrt(time) - drift * step
    if density is None:
        return float(special.ndtr(-edge / math.sqrt(step)))
    above = special.ndtr((density.nodes - edge) / math.sqrt(step))
    return float(density.masses @ above)


def advance(
    density: Density | None,
    time: float,
    step: float,
    limits: tuple[float, float],
    drift: float,
    following: float,
) -> Density:
    """Density at this look of the paths that stay between the z `limits`.

    Args:
        density: at the look before; None at the first look.
        time: information fraction of this look.
        step: what it has grown by.
        limits: lower and upper z boundary, may be infinite.
        drift: expected z at fraction 1.
        following: the next step; the narrower, the more nodes are needed.
    """
    root, centre = math.sqrt(time), drift * time
    low = max(limits[0] * root, centre - _FAR * root)
    high = min(limits[1] * root, centre + _FAR * root)
    if high <= low:
        return Density(np.array([centre]), np.zeros(1))
    # Four standard deviations of the narrowest step for every 16 nodes are exact to 1e-9.
    narrowest = math.sqrt(min(step, following))
    panels = min(400, max(4, math.ceil((high - low) / (4.0 * narrowest))))
    edges = np.linspace(low, high, panels + 1)
    half = (high - low) / panels / 2.0
    nodes = (edges[:-1, None] + half * (1.0 + _NODES)).ravel()
    weights = np.tile(_WEIGHTS * half, panels)
    origin = np.zeros(1) if density is None else density.nodes
    masses = np.ones(1) if density is None else density.masses
    gaps = (nodes[:, None] - origin - drift * step) / math.sqrt(step)
    kernel = np.exp(-0.5 * gaps * gaps) / math.sqrt(2.0 * math.pi * step)
    return Density(nodes, (kernel @ masses) * weights)
