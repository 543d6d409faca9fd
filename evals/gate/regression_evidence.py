"""What a model's runs say together against a check that it once passed, however often one looks.

A weekly test at 5 % on a model that stands at its bar raises a false alarm 2.6 times a year. Here every run gives an
e-value for each absolute check, and they are merged in a way that holds for runs on the same cases (see
`evals.stats.merge_evalues`): the chance of ever raising a false alarm, over all checks and all runs, stays below alpha.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.checks.check import Check
from evals.checks.comparability import ComparedResults
from evals.checks.kinds import MissingRule
from evals.checks.methods import IncomparableError
from evals.checks.missing import filled, scored_rows
from evals.checks.rows import due_rows
from evals.gate.examiner import Evidence
from evals.gate.judge import checks_of_each_slice
from evals.gate.policy import GatePolicy
from evals.metrics.estimates import MetricSpec, metric_spec
from evals.metrics.results import ModelResults
from evals.records import Record
from evals.stats.betting import log_e_below
from evals.stats.merge_evalues import log_merged

__all__ = ["AccumulatedEvidence", "CheckEvidence", "accumulate", "e_values_of_run"]

Order = Callable[[str, Check], NDArray[np.int64]]


class CheckEvidence(Record, frozen=True, kw_only=True):
    """What one run says against one check: the log of an e-value, from `n` cases."""

    check: str
    log_e: float
    n: int


class AccumulatedEvidence(Record, frozen=True, kw_only=True):
    """What all runs so far say against one check; an alarm is raised from `alarm_at` on."""

    check: str
    runs: int
    log_e: float
    alarm_at: float

    @property
    def e(self) -> float:
        """The merged e-value, cut at a million."""
        return math.exp(min(self.log_e, math.log(1e6)))

    @property
    def alarmed(self) -> bool:
        """True when the evidence is enough for an alarm."""
        return self.log_e >= math.log(self.alarm_at)


def e_values_of_run(
    policy: GatePolicy, evidence: Evidence, order: Order
) -> tuple[CheckEvidence, ...]:
    """Return what a run says against each absolute check that decides on scores between two ends.

    `order` gives the positions of a suite's cases that were asked as a fair sample for a check, in asking order.
    Clustered cases are left out: they are no independent draws, and so are metrics without ends, such as latency.
    """
    checks = (
        check for authored in policy.checks for check in checks_of_each_slice(authored, evidence)
    )
    return tuple(
        found for check in checks for found in _of_check(check, evidence, order, policy.missing)
    )


def accumulate(
    runs: Sequence[Sequence[CheckEvidence]], *, confidence: float
) -> tuple[AccumulatedEvidence, ...]:
    """Merge the evidence of runs, in their order, for each check of the newest one.

    With several checks the bar for an alarm is as many times higher, so that the promise holds for all together: all
    that any of the runs had, those of an earlier gate too.
    """
    newest = runs[-1] if runs else ()
    # An e-value is at most 1 on average while the model is as good as the threshold, however often one looks, so that it exceeds
    # 1 / alpha with a chance of at most alpha (Markov); with k checks k / alpha keeps that for all of them (Bonferroni).
    checks = {one.check for run in runs for one in run}
    alarm_at = len(checks) / (1.0 - confidence) if newest else math.inf
    by_run = [{one.check: one.log_e for one in run} for run in runs]
    return tuple(
        AccumulatedEvidence(
            check=one.check,
            runs=len(runs),
            log_e=log_merged([log_e_of.get(one.check) for log_e_of in by_run]),
            alarm_at=alarm_at,
        )
        for one in newest
    )


def _of_check(
    check: Check, evidence: Evidence, order: Order, missing: MissingRule
) -> Iterator[CheckEvidence]:
    usual = check.mode == "enforce" and check.decide_on == "bound" and not check.with_labels
    if check.relative or not usual or check.measure_on != evidence.slot:
        return
    try:
        results, _ = ComparedResults(evidence.candidate, None).of(check)
        due = due_rows(check, results)
    except (IncomparableError, ValueError):
        return  # the gate itself says what is wrong with it
    spec = metric_spec(check.metric, results)
    if spec is None or spec.family != "mean" or not spec.bounded or results.clusters is not None:
        return
    if not spec.lo < check.threshold < spec.hi:
        return
    if missing == "worst_case" and bool(scored_rows(spec, results)[due].any()):
        # This is evidence against the model, so that an answer which never came counts as its best.
        asked = due & results.planned
        results = filled(spec, results, asked, high=not check.spec.rising).results
    values = _values(spec, results, due, order(results.suite, check))
    # Nothing seen is a bet of nothing, e = 1: left out, the check would be missing among those that share the alarm rate.
    log_e = _log_e(check, spec, values) if values.size else 0.0
    yield CheckEvidence(check=check.label, log_e=log_e, n=int(values.size))


def _values(
    spec: MetricSpec, results: ModelResults, due: NDArray[np.bool_], order: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The scores of the cases that the check is about, in the order in which they were asked."""
    rows = order[due[order]]
    values = results.columns[spec.column][rows]
    return values[np.isfinite(values)]


def _log_e(check: Check, spec: MetricSpec, values: NDArray[np.float64]) -> float:
    lo, hi = spec.lo, spec.hi
    if check.spec.rising:  # mirrored, so that below is worse
        return log_e_below(lo + hi - values, lo + hi - check.threshold, lo=lo, hi=hi)
    return log_e_below(values, check.threshold, lo=lo, hi=hi)
