"""What a model's runs say together against a check that it once passed, however often one looks.

A weekly test at 5 % on a model that stands at its bar raises a false alarm 2.6 times a year. Here every run gives an
e-value for each absolute check, and they are merged in a way that holds for runs on the same cases (see
`evals.stats.merge_evalues`). For each comparison with the model's own recorded answers it gives what gamblers made of it, which
may be multiplied from week to week, since the cases are given (see `evals.stats.drop_evidence`). The chance of ever raising a
false alarm, over all checks of both kinds and all runs, stays below alpha.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.checks.check import Check
from evals.checks.comparability import ComparedResults
from evals.checks.kinds import MissingRule
from evals.checks.methods import IncomparableError
from evals.checks.missing import filled, scored_rows
from evals.checks.rows import due_rows
from evals.gate.drops import Drop, drops_of
from evals.gate.examiner import Evidence
from evals.gate.judge import checks_of_each_slice
from evals.gate.policy import GatePolicy
from evals.metrics.estimates import MetricSpec, metric_spec
from evals.metrics.results import ModelResults
from evals.records import Record
from evals.stats.betting import log_e_below
from evals.stats.drop_evidence import log_together
from evals.stats.merge_evalues import log_merged

__all__ = ["AccumulatedEvidence", "CheckEvidence", "accumulate", "e_values_of_run"]

Order = Callable[[str, Check], NDArray[np.int64]]


class CheckEvidence(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What one run says against one check: the log of an e-value, from `n` cases.

    Of a comparison with recorded answers `capitals` holds what each gambler made of 1, as logs; `log_e` is their average.
    """

    check: str
    log_e: float
    n: int
    capitals: tuple[float, ...] = ()


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
    policy: GatePolicy,
    evidence: Evidence,
    order: Order,
    second: Mapping[str, ModelResults] | None = None,
) -> tuple[CheckEvidence, ...]:
    """Return what a run says against each check that decides on scores between two ends.

    `order` gives the positions of a suite's cases that were asked as a fair sample for a check, in asking order. Metrics
    without ends, such as latency, are left out; so are absolute checks on clustered cases, which are no independent draws.
    A comparison with recorded answers takes the cases as given, so that clusters don't matter. `second` is another draw
    of the recorded model, by which the noise of its answers is measured.
    """
    checks = [
        check for authored in policy.checks for check in checks_of_each_slice(authored, evidence)
    ]
    alone = [
        found for check in checks for found in _of_check(check, evidence, order, policy.missing)
    ]
    pairs = [found for check in checks for found in drops_of(check, evidence, second, order)]
    alpha = (1.0 - policy.confidence) / max(1, len(alone) + len(pairs))
    return (*alone, *(_of_drop(one, alpha) for one in pairs))


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
    by_run = [{one.check: one for one in run} for run in runs]
    return tuple(
        AccumulatedEvidence(
            check=one.check,
            runs=len(runs),
            log_e=_merged([found.get(one.check) for found in by_run], paired=bool(one.capitals)),
            alarm_at=alarm_at * (2.0 if one.capitals else 1.0),  # half is for the reference's luck
        )
        for one in newest
    )


def _merged(found: Sequence[CheckEvidence | None], *, paired: bool) -> float:
    if paired:
        return log_together([None if one is None else one.capitals or None for one in found])
    return log_merged([None if one is None else one.log_e for one in found])


def _of_drop(drop: Drop, alpha: float) -> CheckEvidence:
    """What one run says of a drop; half of alpha is for the luck of the reference."""
    capitals = drop.capitals(alpha / 2.0)
    average = float(np.logaddexp.reduce(capitals)) - math.log(len(capitals))
    return CheckEvidence(check=drop.check, log_e=average, n=drop.n, capitals=capitals)


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
