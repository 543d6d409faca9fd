"""What measuring a check's quantity came to: its interval, the values behind it, and what forbids deciding by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from evals.stats.interval import Interval

__all__ = ["Measurement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A quantity to be compared with a threshold. All values are unrounded; None where nothing could be measured.

    `n` counts cases (pairs of them against a baseline), whatever the repeats. `estimate`, `lower` and `upper` are of
    the metric itself, of candidate - baseline (baseline - candidate for a gain in a metric where lower is better), or
    of candidate / baseline when `ratio` is set. `blocked` names a floor that forbids deciding.
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
