"""The one result that every method of this package hands to the gate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Two one-sided bounds on one quantity, and how they came about.

    Attributes:
        lower: lower bound; the truth is below it with probability at most 1 - confidence.
        upper: upper bound; the truth is above it with probability at most 1 - confidence.
            Together they are a central interval at 1 - 2 * (1 - confidence).
        estimate: the observed value, in the units of the metric.
        n: how many cases (or pairs of cases) it rests on.
        method: stable name of the method, such as ``"tango"``.
        confidence: of each bound alone, in (0, 1).
        detail: further numbers by name (design effect, standard error, clusters, ...);
            flags are 1.0.

    Raises:
        ValueError: when a number is NaN, the bounds are crossed or nothing was counted. An
            interval that can't be trusted must not exist, so that no check can pass on it.
    """

    lower: float
    upper: float
    estimate: float
    n: int
    method: str
    confidence: float
    detail: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = {"lower": self.lower, "upper": self.upper, "estimate": self.estimate}
        for name, number in (numbers | dict(self.detail)).items():
            if math.isnan(number):
                raise ValueError(f"{name} of a {self.method} interval is NaN")
        if self.lower > self.upper:
            raise ValueError(
                f"a {self.method} interval has lower {self.lower} above upper {self.upper}"
            )
        if self.n < 1:
            raise ValueError(f"a {self.method} interval rests on {self.n} cases")

    @property
    def width(self) -> float:
        """Distance between the bounds, in the units of the metric; may be infinite."""
        return self.upper - self.lower
