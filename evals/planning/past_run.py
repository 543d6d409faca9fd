"""An earlier run of a target, and what it says of cost and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.metrics.results import ModelResults
from evals.planning.losses import lost_share

__all__ = ["PastRun", "expected_seconds", "usd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """Both models' answers in an earlier run of the target."""

    run_id: str
    candidate: Mapping[str, ModelResults]
    baseline: Mapping[str, ModelResults] | None

    @property
    def lost(self) -> float:
        """The share of answers that were lost to infrastructure, of the model that lost more."""
        return max(lost_share(found) for found in (self.candidate, self.baseline or {}))


def usd(past: PastRun | None, questions: Mapping[str, int], *, alone: bool = False) -> float | None:
    """Return what asking both models, or the candidate `alone`, so many questions of each suite would cost at the past means.

    In USD; None if that is unknown.
    """
    if past is None:
        return None
    both = (past.candidate, past.baseline or past.candidate)
    models = both[:1] if alone else both
    totals = [_total(by_suite, "cost_usd", questions) for by_suite in models]
    return None if None in totals else sum(total for total in totals if total is not None)


def expected_seconds(
    past: PastRun | None, questions: Mapping[str, int], at_once: int
) -> float | None:
    """Return how long asking would take at the past mean latencies, both models at once; None if unknown."""
    latency = None if past is None else _total(past.candidate, "latency_ms", questions)
    return None if latency is None else latency / 1000.0 / at_once


def _total(
    by_suite: Mapping[str, ModelResults], column: str, questions: Mapping[str, int]
) -> float | None:
    """Sum over all questions at the mean of each suite; where a suite shows none, at that of the others."""
    known = {name: _finite(found, column) for name, found in by_suite.items()}
    values = np.concatenate(list(known.values())) if known else np.empty(0)
    if not values.size:
        return None
    means = {name: float(found.mean()) for name, found in known.items() if found.size}
    return sum(count * means.get(name, float(values.mean())) for name, count in questions.items())


def _finite(results: ModelResults, column: str) -> NDArray[np.float64]:
    values = results.columns.get(column, np.empty(0))
    return values[np.isfinite(values)]
