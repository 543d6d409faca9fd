"""What the gate's rules do, beside the naive gate that compares averages, on the same draws.

    python tests/bench/stats_bench.py [--replicates 2000] [--seed 1] [--check]

Prints P(promote) of a candidate that is worse by exactly the margin, power, and the calls that
early looks save, all through the public functions of evals.stats. `--check` exits 1 when a
target of docs/statistics.md is missed.
"""

from __future__ import annotations

import argparse
import math
from typing import NamedTuple

import numpy as np
import stats_draws as draws
from scipy import special

from evals.stats import futility, label_metrics, power, score_intervals, sequential, unbounded

MARGIN, PSI = 0.03, 0.12
ALPHA = 0.05


class Run(NamedTuple):
    """How one early-stopped run ended."""

    outcome: str
    pairs: int


class Targets:
    """Remembers what was missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def at_most(self, name: str, value: float, limit: float, noise: float = 0.0) -> str:
        """Mark for a table; `noise` is what the simulation itself may be off by."""
        met = value <= limit + noise
        if not met:
            self.missed.append(f"{name}: {value:.3f} > {limit}")
        return f"<= {limit} {'met' if met else 'MISSED'}"


def early(new: draws.Floats, old: draws.Floats, plan: sequential.LookPlan, margin: float) -> Run:
    """One run as the gate makes it: looks, latched decision, futility."""
    for size, look in zip(plan.sizes, plan.looks, strict=True):
        if not look.can_decide:
            continue
        found = score_intervals.paired_interval(new[:size], old[:size], confidence=look.confidence)
        decision = sequential.decide_at(found, -margin, look)
        if decision != "CONTINUE":
            return Run(decision, size)
        last = plan.boundaries[-1]
        if futility.is_futile(found, -margin, look.fraction, hoped_for=0.0, final_boundary=last):
            return Run("FUTILE", size)
    raise AssertionError("the final look always decides")


def fixed_n(targets: Targets) -> None:
    """Type-I error of paired pass rates by exact enumeration, beside the averages' gate."""
    print(
        "\nP(promote | worse by exactly the margin), pass/fail scores: mean (worst) over the grid"
    )
    print(f"{'n':>6} {'averages, d >= -m':>20} {'this gate (exact)':>20}")
    for n in (50, 100, 200, 500, 2000):
        naive, ours = [], []
        for psi, margin in draws.settings():
            if psi <= margin:
                continue
            ours.append(power.paired_power(n, psi, margin, true_diff=-margin))
            naive.append(naive_power(n, psi, margin, -margin))
        mark = targets.at_most(f"binary type-I n={n}", float(np.mean(ours)), 0.055)
        print(f"{n:>6} {spread(naive):>20} {spread(ours):>20}   mean {mark}")
    print("\nPower at psi = .12, m = .03: averages promote | this gate, by true difference")
    for n in (200, 500, 1200, 2000):
        cells = [
            f"{d:+.3f}: {naive_power(n, PSI, MARGIN, d):.2f} | "
            f"{power.paired_power(n, PSI, MARGIN, true_diff=d):.2f}"
            for d in (-0.06, -0.03, -0.015, 0.0, 0.03)
        ]
        print(f"{n:>6}  " + "   ".join(cells))


def naive_power(n: int, psi: float, margin: float, difference: float) -> float:
    """P(average difference >= -margin), normal approximation with continuity correction."""
    sd = math.sqrt((psi - difference**2) / n)
    return float(special.ndtr((difference + margin + 0.5 / n) / sd))


def families(targets: Targets, rng: np.random.Generator, replicates: int) -> None:
    """Type-I error of the other families, by simulation."""
    print("\nType-I error of the other families: averages' gate, this gate")
    noise = 2.0 * math.sqrt(0.05 * 0.95 / replicates)
    for n in (50, 200):
        for name, shape in draws.SHAPES.items():
            ours = naive = 0
            for _ in range(replicates):
                difference = shape(rng, n)
                ours += score_intervals.paired_interval(*draws.pair(difference)).lower > -0.05
                naive += difference.mean() >= -0.05
            report(targets, f"graded, {name}, n={n}", naive, ours, replicates, 0.065, noise)
    for groups in (20, 50):
        ours = naive = 0
        for _ in range(replicates):
            difference, clusters = draws.clustered(rng, groups, 8, 0.05)
            found = score_intervals.paired_interval(*draws.pair(difference), clusters=clusters)
            ours += found.lower > -0.05
            naive += difference.mean() >= -0.05
        report(targets, f"clusters, G={groups}", naive, ours, replicates, 0.065, noise)
    macro_f1(targets, rng, replicates, noise)
    costs(targets, rng, replicates, noise)


def macro_f1(targets: Targets, rng: np.random.Generator, replicates: int, noise: float) -> None:
    """Macro-F1 of two equal classifiers, asked for the exact true drop: margin 0."""
    for n in (100, 200):
        ours = naive = 0
        for _ in range(replicates):
            truth, new = draws.classified(rng, n, 0.85)
            wrong = (truth + rng.integers(1, 5, size=n)) % 5
            old = np.where(rng.random(n) < 0.85, truth, wrong)
            found = label_metrics.label_metric_interval(
                truth, new, baseline=old, labels=range(5), metric="macro_f1"
            )
            ours += found.lower > 0.0
            naive += found.estimate >= 0.0
        report(targets, f"macro-F1, n={n}", naive, ours, replicates, 0.065, noise)


def costs(targets: Targets, rng: np.random.Generator, replicates: int, noise: float) -> None:
    """A candidate that costs exactly 10 % more than the baseline, heavy tails; and the p95."""
    for n in (100, 300):
        ours = naive = tail = plain = 0
        for _ in range(replicates):
            shared = rng.lognormal(sigma=1.0, size=n)
            new = 1.1 * shared * rng.lognormal(sigma=1.0, size=n)
            old = shared * rng.lognormal(sigma=1.0, size=n)
            ours += unbounded.relative_mean_interval(new, old).upper < 1.1
            naive += new.mean() / old.mean() <= 1.1
            slow = rng.lognormal(size=n)
            limit = math.exp(float(special.ndtri(0.95)))
            tail += unbounded.quantile_interval(slow).upper < limit
            plain += np.quantile(slow, 0.95) <= limit
        report(targets, f"cost ratio, n={n}", naive, ours, replicates, 0.065, noise)
        report(targets, f"p95 latency, n={n}", plain, tail, replicates, 0.055, noise)


def calls_saved(targets: Targets, rng: np.random.Generator, replicates: int) -> None:
    """Calls saved by looking early, in a suite sized for 90 % power at equality."""
    fixed = power.paired_sample_size(PSI, MARGIN, power=0.9)
    plan = sequential.plan_looks(math.ceil(1.10 * fixed))
    print(
        f"\nLooking early: psi {PSI}, m {MARGIN}, fixed n {fixed}, n_max {plan.n_max}, "
        f"{len(plan.looks)} looks"
    )
    print(
        f"{'truth':>7} {'averages':>9} {'PASS':>6} {'FAIL':>6} {'INCONC':>6} "
        f"{'saved':>6} {'with reused baseline':>21}  target"
    )
    wanted = {1.0: 0.60, 0.0: 0.25, -0.5: 0.10, -1.0: -0.10, -2.0: 0.60, -3.0: 0.60}
    mean = []
    for factor, least in wanted.items():
        # The rate that is a promise is measured more exactly.
        runs = [one_run(rng, plan, factor) for _ in range(replicates * (4 if factor == -1 else 1))]
        shares = {word: np.mean([run.outcome == word for run in runs]) for word in ("PASS", "FAIL")}
        pairs = float(np.mean([run.pairs for run in runs]))
        saved = 1.0 - pairs / fixed
        naive = naive_power(fixed, PSI, MARGIN, factor * MARGIN)
        mark = targets.at_most(f"calls used at {factor:+}m", 1.0 - saved, round(1.0 - least, 2))
        if factor == -1.0:
            noise = 2.0 * math.sqrt(0.05 * 0.95 / len(runs))
            mark = targets.at_most("early-stop type-I", float(shares["PASS"]), 0.055, noise)
        undecided = 1.0 - shares["PASS"] - shares["FAIL"]
        # With the baseline's answers already there only the candidate's calls can be saved.
        reused = f"{pairs:.0f} of {fixed} calls"
        print(
            f"{factor:>+6}m {naive:>9.3f} {shares['PASS']:>6.3f} {shares['FAIL']:>6.3f} "
            f"{undecided:>6.3f} {saved:>6.0%} {reused:>21}  {mark}"
        )
        mean.append(saved)
        worst = max(run.pairs for run in runs) / fixed
        targets.at_most("longest run", worst, 1.11)
    average = float(np.mean(mean))
    print(f"   mean saved {average:.0%}: {targets.at_most('mean used', 1 - average, 0.60)}")


def one_run(rng: np.random.Generator, plan: sequential.LookPlan, factor: float) -> Run:
    new, old = draws.binary(rng, plan.n_max, PSI, factor * MARGIN)
    return early(new, old, plan, MARGIN)


def five_checks(rng: np.random.Generator, replicates: int) -> None:
    """Five checks with correlation .5: a run goes on until all are decided or one can't pass."""
    fixed = power.paired_sample_size(PSI, MARGIN, power=0.9)
    plan = sequential.plan_looks(math.ceil(1.10 * fixed))
    print("\nFive checks, correlation .5: promoted, calls saved")
    for name, truths in (
        ("all +m", [1.0] * 5),
        ("all equal", [0.0] * 5),
        ("one at -2m", [-2.0, 0.0, 0.0, 0.0, 0.0]),
        ("one at -m", [-1.0, 0.0, 0.0, 0.0, 0.0]),
    ):
        promoted, used = 0, 0.0
        for _ in range(replicates // 4):
            runs = together(rng, plan, truths)
            passed = all(run.outcome == "PASS" for run in runs)
            lost = [run.pairs for run in runs if run.outcome != "PASS"]
            promoted += passed
            used += max(run.pairs for run in runs) if passed else min(lost)
        count = replicates // 4
        print(f"{name:>12} {promoted / count:>7.3f} {1 - used / count / fixed:>6.0%}")


def together(rng: np.random.Generator, plan: sequential.LookPlan, truths: list[float]) -> list[Run]:
    shared = rng.random(plan.n_max)
    runs = []
    for factor in truths:
        # Two checks share their draw on half of the cases: a correlation of exactly .5.
        alike = rng.random(plan.n_max) < math.sqrt(0.5)
        uniform = np.where(alike, shared, rng.random(plan.n_max))
        won = uniform > 1.0 - (PSI + factor * MARGIN) / 2.0
        lost = uniform < (PSI - factor * MARGIN) / 2.0
        runs.append(early(1.0 - lost, 1.0 - won, plan, MARGIN))
    return runs


def spread(rates: list[float]) -> str:
    return f"{np.mean(rates):.3f} ({max(rates):.3f})"


def report(
    targets: Targets, name: str, naive: int, ours: int, count: int, limit: float, noise: float
) -> None:
    mark = targets.at_most(f"{name} type-I", ours / count, limit, noise)
    print(f"{name:>32} {naive / count:>7.3f} {ours / count:>7.3f}   {mark}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    options = parser.parse_args()
    rng, targets = np.random.default_rng(options.seed), Targets()
    fixed_n(targets)
    families(targets, rng, options.replicates)
    calls_saved(targets, rng, options.replicates)
    five_checks(rng, options.replicates)
    print("\nmissed:", "; ".join(targets.missed) or "nothing")
    return 1 if options.check and targets.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
