"""All checks of a gate together, before anything is asked: how often they all pass, and after how many calls.

Each check's statistic is a random walk over the looks (see `evals.stats.sequential`); the walks of two checks on the
same cases are correlated. A run goes on until all have passed, or one of them can't any more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evals.gate.policy import GatePolicy
from evals.records import Record
from evals.stats.futility import futility_boundaries
from evals.stats.sequential import LookPlan, plan_looks

__all__ = ["Scenario", "scenarios"]

CORRELATION = 0.5
"""Between the statistics of two checks on the same cases; measured ones mostly lie between 0.3 and 0.7."""
DRAWS = 4000

# How far from the bar each check's truth is, in units of what is hoped for.
_TRUTHS = {
    "better": 2.0,
    "equal": 1.0,
    "worse by the margin": 0.0,
    "worse by twice the margin": -1.0,
}


class SizedCheck(Protocol):
    """What is needed of a check's plan."""

    @property
    def decides(self) -> bool: ...
    @property
    def cases(self) -> int: ...
    @property
    def sd(self) -> float | None: ...
    @property
    def gap(self) -> float | None: ...
    @property
    def confidence(self) -> float: ...


class Scenario(Record, frozen=True, kw_only=True):
    """One truth: the share of runs in which all checks pass, and the share of all calls that a run takes on average."""

    name: str
    passes: float
    calls: float
    checks: int


def scenarios(
    policy: GatePolicy, checks: Sequence[SizedCheck], *, rng: np.random.Generator
) -> tuple[Scenario, ...]:
    """Simulate the checks whose spread is known. Empty when it is known of none.

    "worse" means all checks: a candidate that is worse in one of them only ends in between.
    """
    known = [check for check in checks if check.decides and check.sd is not None and check.gap]
    if not known:
        return ()
    walks = _walks(len(known), rng)
    return tuple(
        Scenario(name=name, checks=len(known), **_simulated(policy, known, walks, factor))
        for name, factor in _TRUTHS.items()
    )


def _walks(checks: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Standard random walks over ten equal steps, shape (draws, steps, checks)."""
    shared = rng.standard_normal((DRAWS, 10, 1))
    own = rng.standard_normal((DRAWS, 10, checks))
    steps = math.sqrt(CORRELATION) * shared + math.sqrt(1.0 - CORRELATION) * own
    return np.cumsum(steps / math.sqrt(10.0), axis=1)


def _simulated(
    policy: GatePolicy, checks: Sequence[SizedCheck], walks: NDArray[np.float64], factor: float
) -> dict[str, float]:
    passed = np.zeros((DRAWS, len(checks)), dtype=np.bool_)
    running = np.ones(DRAWS, dtype=np.bool_)
    calls = np.ones(DRAWS)
    plans = [plan_looks(check.cases, alpha=1.0 - check.confidence) for check in checks]
    for step in range(10) if policy.early_stop else (9,):
        time = (step + 1) / 10
        lost = np.zeros(DRAWS, dtype=np.bool_)
        for place, (check, plan) in enumerate(zip(checks, plans, strict=True)):
            limits = _limits(plan, check, step, policy)
            if limits is None:
                continue
            drift = factor * _drift(check)
            z = (walks[:, step, place] + drift * time) / math.sqrt(time)
            lost |= running & ~passed[:, place] & (z <= limits[0])
            passed[:, place] |= running & (z >= limits[1])
        ended = running & (lost | passed.all(axis=1))
        calls[ended] = time
        running &= ~ended
    return {"passes": float(passed.all(axis=1).mean()), "calls": float(calls.mean())}


def _limits(
    plan: LookPlan, check: SizedCheck, step: int, policy: GatePolicy
) -> tuple[float, float] | None:
    """Below and above which z a check is decided after a step; None where it has no look there."""
    if not policy.early_stop:
        critical = -float(special.ndtri(plan.alpha))
        return -math.inf, critical
    at = [abs(fraction - (step + 1) / 10) < 0.051 for fraction in plan.fractions]
    if not any(at):
        return None
    place = at.index(True)
    upper = plan.boundaries[place]
    lower = -upper
    if policy.futility and place + 1 < len(plan.looks):
        hope = max(_drift(check), plan.boundaries[-1] + 0.8416)
        lower = max(lower, futility_boundaries(plan.fractions, plan.boundaries, drift=hope)[place])
    return lower, upper


def _drift(check: SizedCheck) -> float:
    """Expected z when all cases are asked of a candidate as good as hoped."""
    assert check.sd is not None and check.gap is not None
    return check.gap / max(check.sd, 1e-9) * math.sqrt(check.cases)
