"""What a candidate's tries say together: each deciding check on the mean over the tries of every case.

Shown to whoever has to decide on a further try, and deciding nothing: a mean over tries has less of the luck of each,
but which tries there are may have had to do with their answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.checks.check import Check
from evals.checks.comparability import ComparedResults
from evals.checks.comparison import compare, measure
from evals.checks.kinds import MissingRule
from evals.checks.measurement import Measurement
from evals.checks.methods import IncomparableError
from evals.errors import GatewrightError
from evals.evaluation.sampling_plan import read_sampling_plan
from evals.gate.judge import checks_of_each_slice
from evals.metrics.results import ModelResults
from evals.records import PooledCheck, Verdict, digest
from flows.evaluation.looks import Results, due_look, evidence_at, results_at
from flows.evaluation.open_run import OpenRun

__all__ = ["pooled_checks"]

BySuite = Mapping[str, ModelResults]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """The answers of one try, as far as its suites are those of now; `baseline` is the model they are compared with."""

    run_id: str
    baseline: str | None
    results: Results


def pooled_checks(
    run: OpenRun, others: Sequence[str], verdict: Verdict, results: Results
) -> tuple[PooledCheck, ...]:
    """Return each deciding check of a verdict on the answers of this run and of others of its candidate together."""
    own = _Try(run_id=run.record.run_id, baseline=run.record.baseline_model, results=results)
    tries = [*(_earlier(run, other) for other in others), own]
    deciding = {check.check for check in verdict.checks if check.decides}
    checks = [
        check
        for authored in run.policy.checks
        for check in checks_of_each_slice(authored, evidence_at(run, results))
        if check.label in deciding and check.measure_on == "developer"
    ]
    return tuple(_pooled(run, check, [one for one in tries if one.results]) for check in checks)


def _earlier(run: OpenRun, run_id: str) -> _Try:
    """An earlier try; without answers where its folder is gone or its suites are others by now."""
    record = run.registry.run(run_id)
    assert record is not None, "the ledger named it"
    other = OpenRun(settings=run.settings, registry=run.registry, record=record, plan=run.plan)
    plan = read_sampling_plan(other.folder)
    # Of a suite's whole and of the part that judges after a selection, the cases are not the same.
    comparable = plan is not None and plan.left_out == run.deal.left_out
    try:
        found = results_at(other, due_look(other)[0], fair=True) if comparable else {}
    except (
        GatewrightError,
        OSError,
    ):  # what can't be read is left out, and so not named among the pooled runs
        found = {}
    current = {one.suite.name: one.fingerprint for one in run.plan.suites}
    same = {name for name, one in current.items() if record.fingerprints.get(name) == one}
    kept: Results = {
        role: {name: one for name, one in by_suite.items() if name in same}
        for role, by_suite in found.items()
    }
    return _Try(run_id=run_id, baseline=record.baseline_model, results=kept if same else {})


def _pooled(run: OpenRun, check: Check, tries: Sequence[_Try]) -> PooledCheck:
    baseline = run.record.baseline_model
    used = [one for one in tries if not check.relative or one.baseline == baseline]
    confidence = run.policy.confidence_of(check)
    try:
        found = _measured(check, used, confidence, run.policy.missing)
        note = found.blocked or ""
    except (IncomparableError, ValueError, KeyError) as error:
        found, note = None, str(error)
    return PooledCheck(
        check=check.label,
        metric=check.metric,
        kind=check.kind,
        threshold=check.threshold,
        runs=tuple(one.run_id for one in used),
        n=found.n if found is not None else 0,
        estimate=_finite(found.estimate if found is not None else None),
        lower=_finite(found.lower if found is not None else None),
        upper=_finite(found.upper if found is not None else None),
        confidence=confidence,
        method=found.method if found is not None else "",
        percent=check.percent,
        note=note,
    )


def _measured(
    check: Check, tries: Sequence[_Try], confidence: float, missing: MissingRule
) -> Measurement:
    if check.against == "anchor" or check.with_labels:
        raise IncomparableError("tries are not pooled for a check of this kind")
    sides = [
        {
            name: _mean(
                [one.results[role][name] for one in tries if name in one.results.get(role, {})]
            )
            for name in dict.fromkeys(name for one in tries for name in one.results.get(role, {}))
        }
        for role in ("candidate", "baseline")
    ]
    candidate, baseline = ComparedResults(sides[0], sides[1] or None).of(check)
    if check.relative and baseline is not None:
        return compare(check, candidate, baseline, confidence, missing=missing)
    return measure(check, candidate, baseline, confidence, missing=missing)


def _mean(tries: Sequence[ModelResults]) -> ModelResults:
    """The mean over the tries that have a score, case by case. Labels have no mean: a statistic of them is not pooled."""
    first = tries[0]
    return replace(
        first,
        planned=np.logical_or.reduce([one.planned for one in tries]),
        columns={
            name: _nanmean(np.stack([one.columns[name] for one in tries if name in one.columns]))
            for name in first.columns
        },
        labels={},
        evidence_digest=digest([one.evidence_digest for one in tries]),
        people={},
    )


def _nanmean(stacked: np.ndarray) -> np.ndarray:
    scored = np.isfinite(stacked)
    count = scored.sum(axis=0)
    total = np.where(scored, stacked, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _finite(number: float | None) -> float | None:
    return number if number is not None and np.isfinite(number) else None
