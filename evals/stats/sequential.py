"""Looking early with a plan: at each look every check is judged at a level of its own.

The default spends alpha as alpha * t^2 over at most 10 equal looks, the first after at least
30 cases, and gives up when the chance to pass is below 0.2. On average that saves 45 % of the
calls of a fixed design with the same power. Ten looks at the plain level would promote a model
that is worse by the margin 16 % of the time.

A check's bounds at a look are computed, by whatever method fits its metric, at the confidence
Phi(c_k) of that look; "lower bound above the threshold" is then "z beyond c_k".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import special

from evals.stats.futility import FUTILE_BELOW, futility_boundaries
from evals.stats.interval import Interval
from evals.stats.operating_characteristics import StoppingProbabilities, operating_characteristics
from evals.stats.spending import Spending, alpha_spent, spending_boundaries

Decision = Literal["PASS", "FAIL", "CONTINUE", "INCONCLUSIVE"]

FIRST_LOOK = 30
MOST_LOOKS = 10
# Bounds at a level finer than this aren't worth computing: the look is skipped.
_FINEST = 1e-14


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look: z must reach `boundary`; bounds are taken at `confidence` = 1 - `level`.

    `can_decide` is False when so little alpha is allowed that no bound could decide.
    """

    index: int
    fraction: float
    boundary: float
    level: float
    spent: float
    final: bool

    @property
    def confidence(self) -> float:
        """What the bound methods are called with at this look."""
        return 1.0 - self.level

    @property
    def can_decide(self) -> bool:
        """Whether a bound at this level is worth computing."""
        return self.level > _FINEST


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPlan:
    """Planned looks of one check: `sizes` are cases at each look, the last one is n_max."""

    n_max: int
    alpha: float
    spending: Spending
    rho: float
    sizes: tuple[int, ...]
    looks: tuple[Look, ...]

    @property
    def fractions(self) -> tuple[float, ...]:
        """Information fraction of each look."""
        return tuple(look.fraction for look in self.looks)

    @property
    def boundaries(self) -> tuple[float, ...]:
        """z boundary of each look."""
        return tuple(look.boundary for look in self.looks)

    def operating(
        self, drift: float, *, fail: bool = True, futility: float | None = None
    ) -> StoppingProbabilities:
        """Stopping probabilities when the expected z at n_max is `drift`.

        Args:
            drift: (true difference + margin) * sqrt(n_max) / sd.
            fail: also stop at -boundary, where the check FAILs.
            futility: drift under which conditional power is taken (margin * sqrt(n_max) /
                sd); None for a design without futility.
        """
        lower = [-bound if fail else -math.inf for bound in self.boundaries]
        if futility is not None:
            given_up = futility_boundaries(
                self.fractions, self.boundaries, drift=futility, below=FUTILE_BELOW
            )
            lower = [max(pair) for pair in zip(lower, given_up, strict=True)]
        return operating_characteristics(self.fractions, self.boundaries, drift=drift, lower=lower)


def plan_looks(
    n_max: int,
    *,
    alpha: float = 0.05,
    looks: int = MOST_LOOKS,
    first: int = FIRST_LOOK,
    spending: Spending = "power",
    rho: float = 2.0,
) -> LookPlan:
    """Plan equal looks: as many as `looks`, none before `first` cases.

    Args:
        n_max: cases in all, >= 1; with fewer than 2 * first there is one look, at the end.
        alpha: type-I error of the whole plan, for PASS and for FAIL each.
        looks: most looks, >= 1.
        first: fewest cases at the first look.
        spending: ``"power"``, ``"obf"`` or ``"pocock"``.
        rho: exponent of the power family.

    Raises:
        ValueError: for n_max or looks below 1; as `alpha_spent`.
    """
    if n_max < 1 or looks < 1:
        raise ValueError(f"a plan needs cases and looks, got n_max {n_max} and looks {looks}")
    count = max(1, min(looks, n_max // max(first, 1)))
    sizes = tuple(-(-n_max * (look + 1) // count) for look in range(count))
    fractions = [size / n_max for size in sizes]
    return LookPlan(
        n_max=n_max,
        alpha=alpha,
        spending=spending,
        rho=rho,
        sizes=sizes,
        looks=tuple(_looks(fractions, True, alpha, spending, rho)),
    )


def look_at(
    counts: Sequence[int],
    n_max: int,
    *,
    final: bool,
    alpha: float = 0.05,
    spending: Spending = "power",
    rho: float = 2.0,
) -> Look:
    """The look that is due now, whatever the looks before it really were.

    Args:
        counts: scored cases at every look so far, this one last; strictly rising. They
            needn't be those planned: alpha is spent on what was seen (Lan & DeMets 1983).
        n_max: cases planned for this check.
        final: no further case will come; all alpha that is left is spent now, also when
            cases were lost and n_max was never reached.
        alpha: of the whole plan.
        spending: as planned.
        rho: as planned.

    Raises:
        ValueError: for counts that don't rise, or go beyond n_max.
    """
    if not counts or n_max < 1:
        raise ValueError("a look needs cases: counts is empty or n_max below 1")
    if counts[-1] > n_max:
        raise ValueError(f"{counts[-1]} cases seen of {n_max} planned")
    fractions = [count / n_max for count in counts]
    if final:
        # Counting lost cases as seen makes the looks seem less alike than they are, which
        # errs on the careful side.
        fractions[-1] = 1.0
    return _looks(fractions, final, alpha, spending, rho)[-1]


def decide_at(interval: Interval, threshold: float, look: Look) -> Decision:
    """PASS if the lower bound is above the threshold, FAIL if the upper is below it.

    The interval must have been computed at the look's confidence. Otherwise CONTINUE, or
    INCONCLUSIVE at the final look. Equality with the threshold decides nothing.

    Raises:
        ValueError: for an interval at another confidence than the look's.
    """
    if not math.isclose(1.0 - interval.confidence, look.level, rel_tol=1e-3, abs_tol=1e-12):
        raise ValueError(
            f"interval at confidence {interval.confidence} judged at a look of {look.confidence}"
        )
    if look.can_decide and interval.lower > threshold:
        return "PASS"
    if look.can_decide and interval.upper < threshold:
        return "FAIL"
    return "INCONCLUSIVE" if look.final else "CONTINUE"


def decide_z(z: float, look: Look) -> Decision:
    """The same from a statistic against the threshold: PASS at z >= c_k, FAIL at <= -c_k."""
    if z >= look.boundary:
        return "PASS"
    if z <= -look.boundary:
        return "FAIL"
    return "INCONCLUSIVE" if look.final else "CONTINUE"


def _looks(
    fractions: Sequence[float], final: bool, alpha: float, spending: Spending, rho: float
) -> list[Look]:
    boundaries = spending_boundaries(fractions, alpha=alpha, spending=spending, rho=rho)
    spent = alpha_spent(fractions, alpha=alpha, spending=spending, rho=rho)
    last = len(fractions) - 1
    return [
        Look(
            index=index,
            fraction=float(fraction),
            boundary=boundary,
            level=float(special.ndtr(-boundary)),
            spent=spent[index],
            final=final and index == last,
        )
        for index, (fraction, boundary) in enumerate(zip(fractions, boundaries, strict=True))
    ]
