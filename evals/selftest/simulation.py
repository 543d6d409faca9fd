"""The gate measures itself: how often it promotes a model it should not, beside the gate that compares averages.

Both judge the same seeded draws. Ours goes the whole way that a run goes: results, policy, looks, verdict. A rate that
is promised is held against its limit, allowing for the noise of the simulation itself (three standard errors).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np

from evals.checks.check import Check
from evals.gate.judge import judge
from evals.gate.replay import replay
from evals.records import Verdict
from evals.selftest import simulated_models
from evals.selftest.rates import (
    CHECKS,
    COVERED,
    POWER,
    PROMISED,
    MeasuredRate,
    SelfTest,
    rate,
    saving,
)
from evals.selftest.simulated_models import Pair, gate_of, simulated_evidence
from evals.stats.power import paired_sample_size
from evals.stats.sequential import plan_looks

__all__ = ["self_test"]

MARGIN, DIFFERING = 0.03, 0.12

Draw = Callable[[np.random.Generator], Pair]


def self_test(
    *, replicates: int = 250, seed: int = 1, progress: Callable[[str], None] | None = None
) -> SelfTest:
    """Simulate the gate.

    Args:
        replicates: simulated runs for each rate; the promised rates of looking early get four times as many.
        seed: of all draws.
        progress: called with the name of what is measured next.
    """
    started, rows = time.perf_counter(), []
    for number, part in enumerate((_promised, _power, _covered, _early, _together)):
        for row in part(np.random.default_rng([seed, number]), replicates):
            rows.append(row)
            if progress is not None:
                progress(f"{row.group}: {row.name}")
    return SelfTest(
        seed=seed,
        replicates=replicates,
        seconds=time.perf_counter() - started,
        rows=tuple(rows),
    )


def _promised(rng: np.random.Generator, replicates: int) -> Iterator[MeasuredRate]:
    drop = Check(metric="score", kind="max_drop", threshold=MARGIN, field="a")
    wide = Check(metric="score", kind="max_drop", threshold=0.05, field="a")
    f1 = Check(metric="label.macro_f1", kind="max_drop", threshold=0.0, field="a")
    cost = Check(metric="cost_usd_per_1k", kind="max_rise", threshold=0.1, percent=True, field="a")
    families: tuple[tuple[str, float, Check, Draw], ...] = (
        *(
            (f"pass/fail, n={n}", 0.055, drop, _binary(n, DIFFERING, -MARGIN))
            for n in (200, 500, 1000)
        ),
        ("pass/fail near 1, n=200", 0.055, wide, _binary(200, 0.06, -0.05)),
        ("grades, n=200", 0.065, wide, lambda r: simulated_models.graded(r, 200, 0.05)),
        ("three repeats, n=200", 0.065, wide, lambda r: simulated_models.repeated(r, 200, 0.05)),
        *((f"clusters, G={g}", 0.065, wide, _clusters(g, 0.05)) for g in (20, 50)),
        ("macro-F1, n=200, margin 0", 0.065, f1, lambda r: simulated_models.classified(r, 200)),
        ("cost ratio, n=200", 0.065, cost, lambda r: simulated_models.costs(r, 200, 0.1)),
    )
    for name, limit, check, draw in families:
        ours = naive = 0
        for _ in range(replicates):
            verdict = judge(gate_of(check), simulated_evidence(draw(rng)))
            ours += verdict.outcome == "PASS"
            naive += _averages(check, verdict)
        yield rate(PROMISED, name, ours, replicates, naive, target=limit)


def _power(rng: np.random.Generator, replicates: int) -> Iterator[MeasuredRate]:
    check = Check(metric="score", kind="max_drop", threshold=MARGIN, field="a")
    n = paired_sample_size(DIFFERING, MARGIN, power=0.9)
    for factor, least in ((1.0, 0.99), (0.0, 0.88), (-0.5, None), (-2.0, None)):
        ours = naive = 0
        for _ in range(replicates):
            pair = simulated_models.binary(rng, n, DIFFERING, factor * MARGIN)
            verdict = judge(gate_of(check), simulated_evidence(pair))
            ours += verdict.outcome == "PASS"
            naive += _averages(check, verdict)
        name = f"{_worded(factor)}, n={n}"
        yield rate(POWER, name, ours, replicates, naive, target=least, at_most=False)


def _covered(rng: np.random.Generator, replicates: int) -> Iterator[MeasuredRate]:
    check = Check(metric="score", kind="max_drop", threshold=0.05, field="a")
    families: tuple[tuple[str, Draw, float], ...] = (
        ("pass/fail, n=200", _binary(200, DIFFERING, -MARGIN), -MARGIN),
        ("grades, n=200", lambda r: simulated_models.graded(r, 200, 0.05), -0.05),
        ("clusters, G=50", _clusters(50, 0.05), -0.05),
    )
    for name, draw, truth in families:
        inside = 0
        for _ in range(replicates):
            found = judge(gate_of(check), simulated_evidence(draw(rng))).checks[0]
            assert found.lower is not None and found.upper is not None
            inside += found.lower <= truth <= found.upper
        yield rate(COVERED, f"{name} (90 %)", inside, replicates, target=0.88, at_most=False)


def _early(rng: np.random.Generator, replicates: int) -> Iterator[MeasuredRate]:
    """A suite sized for 90 % power between equal models; calls are those of a fixed design with that power."""
    check = Check(metric="score", kind="max_drop", threshold=MARGIN, field="a")
    fixed = paired_sample_size(DIFFERING, MARGIN, power=0.9)
    plan = plan_looks(math.ceil(1.10 * fixed))
    wanted = {1.0: 0.60, 0.0: 0.25, -0.5: 0.10, -1.0: -0.10, -2.0: 0.60, -3.0: 0.60}
    savings = []
    for factor, least in wanted.items():
        count = replicates * 4 if factor == -1.0 else replicates
        ours = naive = used = 0
        for _ in range(count):
            pair = simulated_models.binary(rng, plan.n_max, DIFFERING, factor * MARGIN)
            verdict, cases = _run([check], pair, plan.sizes)
            whole = judge(gate_of(check), simulated_evidence(pair, fixed))
            ours += verdict.outcome == "PASS"
            naive += _averages(check, whole)
            used += cases
        savings.append(1.0 - used / count / fixed)
        if factor == -1.0:
            yield rate(PROMISED, "looking early, ten looks", ours, count, naive, target=0.055)
        yield saving(_worded(factor), savings[-1], count, least)
    yield saving("on average", float(np.mean(savings)), replicates, 0.40)


def _together(rng: np.random.Generator, replicates: int) -> Iterator[MeasuredRate]:
    checks = [
        Check(metric=f"score{number}", kind="max_drop", threshold=MARGIN, field=str(number))
        for number in range(5)
    ]
    fixed = paired_sample_size(DIFFERING, MARGIN, power=0.9)
    plan = plan_looks(math.ceil(1.10 * fixed))
    count = max(1, replicates // 4)
    for name, factors in (
        ("all better by the margin", [1.0] * 5),
        ("all equal", [0.0] * 5),
        ("one worse by the margin", [-1.0, 0.0, 0.0, 0.0, 0.0]),
        ("one worse by twice the margin", [-2.0, 0.0, 0.0, 0.0, 0.0]),
    ):
        ours = naive = used = 0
        for _ in range(count):
            differences = [factor * MARGIN for factor in factors]
            pair = simulated_models.together(rng, plan.n_max, DIFFERING, differences)
            verdict, cases = _run(checks, pair, plan.sizes)
            whole = judge(gate_of(*checks), simulated_evidence(pair, fixed))
            ours += verdict.outcome == "PASS"
            naive += all(_averages(check, whole, place) for place, check in enumerate(checks))
            used += cases
        limit = 0.055 if min(factors) == -1.0 else None
        yield rate(CHECKS, name, ours, count, naive, target=limit)
        yield saving(f"{name}: saved", 1.0 - used / count / fixed, count, None, group=CHECKS)


def _run(checks: list[Check], pair: Pair, sizes: tuple[int, ...]) -> tuple[Verdict, int]:
    """One run as the flows make it. Returns the verdict and the cases asked of each model."""
    verdict, look = replay(
        gate_of(*checks), lambda step: simulated_evidence(pair, sizes[step - 1]), len(sizes)
    )
    return verdict, sizes[look - 1]


def _averages(check: Check, verdict: Verdict, place: int = 0) -> bool:
    """The gate that compares averages with the margin, on the very same numbers."""
    found = verdict.checks[place]
    assert found.candidate is not None and found.baseline is not None
    if check.spec.rising:
        return found.candidate <= found.baseline * (1.0 + check.threshold)
    return found.candidate >= found.baseline - check.threshold


def _binary(n: int, differing: float, difference: float) -> Draw:
    return lambda rng: simulated_models.binary(rng, n, differing, difference)


def _clusters(groups: int, drop: float) -> Draw:
    return lambda rng: simulated_models.clustered(rng, groups, 8, drop)


def _worded(factor: float) -> str:
    if factor == 0.0:
        return "equal"
    return f"{'better' if factor > 0 else 'worse'} by {abs(factor):g} margin{'s' if abs(factor) > 1 else ''}"
