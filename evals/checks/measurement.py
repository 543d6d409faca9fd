"""What measuring a check's quantity came to: its interval, the values behind it, and what forbids deciding by it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from evals.stats.interval import Interval

__all__ = ["Measurement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A quantity to be compared with a threshold. All values are unrounded; None where nothing could be measured.

    `n` counts cases (pairs of them against a baseline), whatever the repeats. `estimate`, `lower` and `upper` are of
    the metric itself, of candidate - baseline (baseline - candidate for a gain in a metric where lower is better), or
    of candidate / baseline when `ratio` is set. `blocked` names a floor that forbids deciding;
    `broken` is set where that is a metric that can't tell anything.

    `missing` counts the cases of the `asked` ones of which a score of candidate and baseline is missing. With any, `estimate` is of the cases that have
    both. When they were counted `at_ends`, `lower` and `upper` hold whatever the missing ones were; `worst` and `best` are the
    intervals with all of them as harmful, or as helpful, to the check as they can be, None where that has no bounds.
    """

    n: int
    candidate: float | None
    baseline: float | None
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    confidence: float = 0.95
    method: str = ""
    ratio: bool = False
    blocked: str | None = None
    warnings: tuple[str, ...] = ()
    asked: int = 0
    missing: tuple[int, int] = (0, 0)
    worst: Interval | None = None
    best: Interval | None = None
    at_ends: bool = False
    broken: bool = False

    def at_best(self) -> Measurement:
        """Return the measurement with all that is missing at its best. Raises ValueError where that has no bounds."""
        if self.best is None:
            raise ValueError("there are no bounds with what is missing at its best")
        return replace(
            self,
            estimate=self.best.estimate,
            lower=self.best.lower,
            upper=self.best.upper,
            at_ends=False,
            worst=None,
            best=None,
        )

    @classmethod
    def of(
        cls, found: Interval, n: int, points: tuple[float | None, float | None], **more: Any
    ) -> Self:
        """Take over an interval; `points` are the values of candidate and baseline, `more` any further field."""
        fields: dict[str, Any] = {
            "estimate": found.estimate,
            "lower": found.lower,
            "upper": found.upper,
            "confidence": found.confidence,
            "method": found.method,
        }
        return cls(n=n, candidate=points[0], baseline=points[1], **(fields | more))

    def interval(self) -> Interval | None:
        """Return the interval, None where there is none to go by."""
        if self.estimate is None or self.lower is None or self.upper is None:
            return None
        return Interval(
            lower=self.lower,
            upper=self.upper,
            estimate=self.estimate,
            n=self.n,
            method=self.method,
            confidence=self.confidence,
        )
