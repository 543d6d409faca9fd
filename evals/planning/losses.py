"""What lost answers cost a check when each counts at its worst: a shift of the estimate, and more cases to make up for it.

Of a lost share L, a paired difference falls by about L times the span of the scores: an answer of the candidate that is missing
counts as a miss, one of the baseline as a hit (Manski 2003). So a margin of L or less can't be shown with any number of cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evals.checks.check import Check
from evals.checks.feasibility import matching
from evals.gate.policy import GatePolicy
from evals.gate.validation import measured_by
from evals.metrics.estimates import MetricSpec, metric_kind
from evals.metrics.results import ModelResults
from evals.records import INFRASTRUCTURE_OUTCOMES
from evals.stats.paired_binary import tango_z
from evals.stats.validation import normal_critical
from evals.suites.opened import OpenedSuite

__all__ = ["cost_of_losses", "least_with_losses", "lost_share", "lost_share_of", "out_of_reach"]

_MOST = 200_000
"""More cases than that are no suite's; a check that needs them can't pass."""

Mask = NDArray[np.bool_]


def lost_share_of(planned: int, outcomes: Mapping[str, int]) -> float:
    """Return the share of the planned answers that were lost to infrastructure, in [0, 1]."""
    lost = sum(outcomes.get(name, 0) for name in INFRASTRUCTURE_OUTCOMES)
    return min(1.0, lost / planned) if planned else 0.0


def lost_share(by_suite: Mapping[str, ModelResults]) -> float:
    """Return the share of one model's answers that were lost, over all suites."""
    planned = sum(found.counts.get("planned", 0) for found in by_suite.values())
    lost = sum(found.counts.get("errored", 0) for found in by_suite.values())
    return min(1.0, lost / planned) if planned else 0.0


def cost_of_losses(
    check: Check, spec: MetricSpec, lost: float, estimate: float | None = None
) -> float:
    """Return by how much a lost share moves the measured quantity towards the bar, in the units of the threshold.

    `estimate` is the metric's expected value, for a check of the candidate alone. 0.0 for metrics without a worst value,
    of which it can't be told.
    """
    if not spec.bounded and spec.family != "label":
        return 0.0
    lo, hi = (spec.lo, spec.hi) if spec.bounded else (0.0, 1.0)
    if check.relative or estimate is None:
        return lost if check.percent else lost * (hi - lo)
    return lost * max(0.0, (hi - estimate) if check.spec.rising else (estimate - lo))


def least_with_losses(check: Check, spec: MetricSpec, confidence: float, lost: float) -> int | None:
    """Return the smallest number of cases that can pass when all that were answered are flawless; None if none can.

    1 where the number of cases does not matter.
    """
    if lost <= 0.0 or check.decide_on == "point":
        return 1
    numbers = np.arange(1, _MOST + 1)
    missing = np.ceil(numbers * lost)
    if spec.family == "quantile":
        if check.relative:
            return 1 if lost < 1.0 - spec.quantile else None
        # The bound is an order statistic, and has to be one of the answers that came.
        chance = np.asarray(special.bdtr(missing, numbers, 1.0 - spec.quantile))
        enough = np.asarray(chance <= 1.0 - confidence)
        return _first(enough) if lost < 1.0 - spec.quantile else None
    share = check.spec.slack(check.threshold, percent=check.percent, lo=spec.lo, hi=spec.hi)
    if share is None or not (spec.bounded or spec.family == "label"):
        return 1
    if lost >= share:
        return None
    if check.relative:
        z = tango_z(np.zeros(_MOST), missing, numbers, -share)
        return _first(z > normal_critical(confidence))
    right = np.maximum(numbers - missing, 0)
    bound = np.where(right > 0, special.betaincinv(right, missing + 1, 1.0 - confidence), 0.0)
    return _first(bound > 1.0 - share)


def out_of_reach(
    policy: GatePolicy, suites: Sequence[OpenedSuite], lost: float, *, roles: int = 2
) -> tuple[str, ...]:
    """Return the labels of the deciding checks that even flawless answers could not pass with a share of them lost.

    Args:
        policy: the gate, valid for the suites.
        suites: what is asked.
        lost: the share, in [0, 1].
        roles: 2 with a baseline, 1 without.
    """
    found: dict[str, None] = {}
    if policy.missing != "worst_case":
        return ()
    for check in policy.checks:
        decides = check.mode == "enforce" and check.measure_on == "developer"
        if not decides or (check.relative and roles == 1):
            continue
        measuring = measured_by(check, suites)
        spec = metric_kind(check.metric, measuring[0])
        least = least_with_losses(check, spec, policy.confidence_of(check), lost)
        cases = max(map(len, matching(check, measuring).values()), default=0)
        if least is None or least > cases:
            found[check.label] = None
    return tuple(found)


def _first(enough: Mask) -> int | None:
    return int(np.argmax(enough)) + 1 if enough.any() else None
