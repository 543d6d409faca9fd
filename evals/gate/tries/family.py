"""A family: the promise of a gate for all candidates of a time together, instead of for each alone.

Each of `candidates` first tries is judged at 1 - (1 - confidence) / candidates (the union bound; Bonferroni 1936), so
that the chance of promoting even one bad model among them stays below 1 - confidence, whatever their answers have in
common. Those beyond that number ask a person.
"""

from __future__ import annotations

from evals.records import Record

__all__ = ["Family"]


class Family(Record, frozen=True, kw_only=True, omit_defaults=True):
    """For how many candidates of how many seconds, counted back from each, the promise holds at `confidence`."""

    candidates: int
    window_s: int = 90 * 86400
    confidence: float = 0.95

    @property
    def each(self) -> float:
        """The confidence at which each candidate is judged."""
        return 1.0 - (1.0 - self.confidence) / self.candidates
