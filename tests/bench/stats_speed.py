"""How long the gate's intervals take on 100,000 cases.

python tests/bench/stats_speed.py [--cases 100000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import stats_draws as draws

from evals.stats import label_metrics, score_intervals, sequential, unbounded


def calls(rng: np.random.Generator, n: int) -> dict[str, Callable[[], object]]:
    """One call of each family."""
    right, grades = (rng.random(n) < 0.9) * 1.0, rng.random(n)
    other = np.where(rng.random(n) < 0.9, right, 1.0 - right)
    truth, new = draws.classified(rng, n, 0.85)
    old = np.where(rng.random(n) < 0.9, new, truth)
    clusters = rng.integers(0, max(2, n // 20), size=n)
    cost = rng.lognormal(size=n)
    return {
        "Clopper-Pearson": lambda: score_intervals.absolute_interval(right),
        "bounded score": lambda: score_intervals.absolute_interval(grades),
        "Tango": lambda: score_intervals.paired_interval(right, other),
        "bounded score, clustered": lambda: score_intervals.paired_interval(
            right, other, clusters=clusters
        ),
        "Fieller": lambda: unbounded.relative_mean_interval(cost, 1.1 * cost),
        "p95": lambda: unbounded.quantile_interval(cost),
        "p95 ratio, bootstrap": lambda: unbounded.quantile_ratio_interval(
            cost, cost[::-1], rng=np.random.default_rng(1)
        ),
        "macro-F1 jackknife": lambda: label_metrics.label_metric_interval(
            truth, new, baseline=old, labels=range(5), metric="macro_f1"
        ),
        "ten looks planned": lambda: sequential.plan_looks(int(rng.integers(500, n))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the gate's intervals.")
    parser.add_argument("--cases", type=int, default=100_000)
    n = parser.parse_args().cases
    print(f"{n:,} cases, best of 3, ms")
    for name, call in calls(np.random.default_rng(1), n).items():
        times = []
        for _ in range(3):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        print(f"{name:>26} {1000 * min(times):8.1f}")


if __name__ == "__main__":
    main()
