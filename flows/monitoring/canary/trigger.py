"""How many of the chosen cases have to answer otherwise for a look to trigger: from the record alone, without what asks a model."""

from __future__ import annotations

from collections.abc import Sequence

from evals.stats.steady_answers import chance_of_order, fewest_differing
from flows.registry.canaries import CanaryCase

__all__ = ["AGAIN", "chance", "fewest"]

AGAIN = 3
"""How often a case has to answer otherwise within a look to count."""


def chance(cases: Sequence[CanaryCase]) -> float:
    """Return the chance of such answers from an unchanged model, for the case that was asked least."""
    return chance_of_order(min(one.agreed for one in cases), AGAIN)


def fewest(cases: Sequence[CanaryCase], passed_over: int) -> int | None:
    """Return how many of the cases have to answer otherwise for a look to trigger; None when all of them are not enough."""
    return fewest_differing(len(cases), passed_over, chance(cases)) if cases else None
