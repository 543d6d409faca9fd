"""An earlier run of a target, and what it says of cost and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evals.columns import ModelResults

__all__ = ["Past", "seconds", "usd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Both models' answers in an earlier run of the target."""

    run_id: str
    candidate: Mapping[str, ModelResults]
    baseline: Mapping[str, ModelResults] | None


def usd(past: Past | None, sizes: Mapping[str, int], repeats: int) -> float | None:
    """Return what asking these suites of both models would cost at the past mean, in USD; None if unknown."""
    if past is None:
        return None
    means = [_mean(side, "cost_usd") for side in (past.candidate, past.baseline or past.candidate)]
    if None in means:
        return None
    return sum(sizes.values()) * repeats * sum(mean for mean in means if mean is not None)


def seconds(
    past: Past | None, sizes: Mapping[str, int], repeats: int, at_once: int
) -> float | None:
    """Return how long asking would take at the past mean latency, both models at once; None if unknown."""
    latency = None if past is None else _mean(past.candidate, "latency_ms")
    if latency is None:
        return None
    return sum(sizes.values()) * repeats * latency / 1000.0 / at_once


def _mean(side: Mapping[str, ModelResults], column: str) -> float | None:
    parts = [results.columns[column] for results in side.values() if column in results.columns]
    values = np.concatenate(parts) if parts else np.empty(0)
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else None
