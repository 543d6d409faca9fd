"""From bounds to a decision."""

from __future__ import annotations

import math
from typing import Literal

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]


def decide(lower: float, upper: float, threshold: float, *, n: int = 1, min_n: int = 1) -> Outcome:
    """PASS if lower > threshold, FAIL if upper < threshold, else INCONCLUSIVE.

    Equality with the threshold is INCONCLUSIVE, nothing is rounded, and fewer than `min_n`
    cases decide nothing. Larger is better; swap and negate the bounds where it isn't.

    Raises:
        ValueError: when a number is NaN: a comparison with it would quietly be false.
    """
    for name, number in (("lower", lower), ("upper", upper), ("threshold", threshold)):
        if math.isnan(number):
            raise ValueError(f"{name} is NaN: there is nothing to decide on")
    if n < min_n:
        return "INCONCLUSIVE"
    if lower > threshold:
        return "PASS"
    return "FAIL" if upper < threshold else "INCONCLUSIVE"
