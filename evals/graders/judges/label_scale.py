"""On which scale people judge what a judge judges: its numbers, or its labels, brought into the same [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

from evals.errors import nearest

__all__ = ["HumanScale"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanScale:
    """A judge's scale: from `lo` to `hi`, or `labels` of which some are `passing`.

    `threshold`, on the scale, is that of the column "<name>.passed" where the judge has one.
    """

    lo: float = 0.0
    hi: float = 1.0
    labels: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    threshold: float | None = None

    @property
    def words(self) -> str:
        """What is to be written down, in words."""
        if self.labels:
            return f"a label, one of {', '.join(self.labels)}"
        return f"a score from {self.lo:g} to {self.hi:g}"

    def read(self, label: str | None, score: float | None) -> float:
        """Return what a person said as a value in [0, 1]. Raises ValueError saying what was expected."""
        if self.labels:
            if label not in self.labels:
                hint = nearest(label, self.labels) if label else None
                raise ValueError(f"expected {self.words}; found {label!r}{_hint(hint)}")
            return float(label in self.passing)
        if score is None or not self.lo <= score <= self.hi:
            raise ValueError(f"expected {self.words}; found {score if label is None else label!r}")
        return (score - self.lo) / (self.hi - self.lo)

    def passes(self, value: float) -> float:
        """Return 1.0 when a value in [0, 1] reaches the threshold, else 0.0."""
        if self.threshold is None:
            raise ValueError("this judge has no threshold")
        return float(self.lo + value * (self.hi - self.lo) >= self.threshold - 1e-12)


def _hint(hint: str | None) -> str:
    return f" ({hint})" if hint else ""
