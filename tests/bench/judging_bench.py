"""How long judging takes: 100,000 cases, 20 checks and 50 slices, on one core, against 5 s.

    python tests/bench/judging_bench.py [--cases 100000] [--limit 5] [--profile]

Judges three bodies of evidence: without clusters, with clusters, and with clusters and three repeats of the label columns.
Exits 1 when one takes longer than the limit.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import time
from typing import Any

import numpy as np

from evals.checks.check import Check
from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.metrics.results import LabelColumn, ModelResults
from evals.selftest.simulated_models import gate_of

SLICES, LABELS = 50, 12


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--limit", type=float, default=5.0, help="seconds")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core means one core
    gate = gate_of(*checks())
    slow = 0
    for name, clusters, repeats in (
        ("no clusters", False, 1),
        ("clusters of 5", True, 1),
        ("clusters of 5, 3 repeats", True, 3),
    ):
        evidence = made(options.cases, clusters=clusters, repeats=repeats)
        profile = cProfile.Profile()
        begin = time.perf_counter()
        if options.profile:
            profile.enable()
        verdict = judge(gate, evidence)
        profile.disable()
        took = time.perf_counter() - begin
        slow += took > options.limit
        decided = len(verdict.checks)
        print(
            f"{name:26} {options.cases:,} cases, {decided} checks judged in {took:5.2f} s "
            f"(limit {options.limit:g} s): {verdict.outcome}"
        )
        if options.profile:
            pstats.Stats(profile).sort_stats("cumulative").print_stats(25)
    return 1 if slow else 0


def checks() -> list[Check]:
    """Twenty checks of all families; one of them stands for each of fifty slices."""
    whole = [
        *(_drop(f"score{number}", 0.02) for number in range(5)),
        *(_level(f"score{number}", 0.5) for number in range(5)),
        *(_drop(f"graded{number}", 0.02) for number in range(2)),
        _drop("intent.macro_f1", 0.02),
        _level("intent.macro_f1", 0.5),
        _level("intent.mcc", 0.3),
        Check(metric="cost_usd_per_1k", kind="max_rise", threshold=0.1, percent=True),
        Check(metric="latency_p95_ms", kind="at_most", threshold=9e4),
        Check(metric="latency_p95_ms", kind="max_rise", threshold=0.5, percent=True),
        Check(metric="score0", kind="max_drop", threshold=0.1, percent=True),
    ]
    return [*whole, Check(metric="score0", kind="max_drop", threshold=0.1, each="slice")]


def _drop(metric: str, threshold: float) -> Check:
    return Check(metric=metric, kind="max_drop", threshold=threshold)


def _level(metric: str, threshold: float) -> Check:
    return Check(metric=metric, kind="at_least", threshold=threshold)


def made(cases: int, *, clusters: bool, repeats: int) -> Evidence:
    """Two equally good models."""
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.integers(0, LABELS, size=cases)[:, None], repeats, axis=1)
    shared: dict[str, Any] = {
        "suite": "large",
        "fingerprint": "large",
        "grader_versions": {},
        "case_ids": tuple(f"case-{number}" for number in range(cases)),
        "planned": np.ones(cases, dtype=np.bool_),
        "tags": {"slice": np.array([f"s{number % SLICES}" for number in range(cases)])},
        "clusters": rng.integers(0, cases // 5, size=cases) if clusters else None,
        "outcomes": {},
    }
    sides = [
        ModelResults(
            model_id=model,
            evidence_digest=model,
            columns=columns(rng, cases),
            labels={"intent": labels(rng, truth)},
            **shared,
        )
        for model in ("candidate", "baseline")
    ]
    return Evidence(candidate={"large": sides[0]}, baseline={"large": sides[1]})


def columns(rng: np.random.Generator, cases: int) -> dict[str, Any]:
    passed = {f"score{number}": (rng.random(cases) < 0.9).astype(float) for number in range(5)}
    grades = {f"graded{number}": rng.beta(4, 1, cases) for number in range(2)}
    amounts = {"cost_usd": rng.lognormal(size=cases), "latency_ms": 500 * rng.lognormal(size=cases)}
    return {**passed, **grades, **amounts}


def labels(rng: np.random.Generator, truth: Any) -> LabelColumn:
    wrong = (truth + rng.integers(1, LABELS, size=truth.shape)) % LABELS
    return LabelColumn(
        labels=tuple(f"label {number}" for number in range(LABELS)),
        truth=truth,
        predicted=np.where(rng.random(truth.shape) < 0.85, truth, wrong),
    )


if __name__ == "__main__":
    raise SystemExit(main())
