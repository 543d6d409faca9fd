"""What one candidate of a field scored on the cases it was asked, and whether it clearly breaks a condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from evals.checks.check import Check
from evals.checks.comparability import results_for
from evals.checks.comparison import measure
from evals.checks.methods import IncomparableError
from evals.checks.rows import coverage
from evals.errors import ConfigurationError, Problem, nearest
from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.gate.policy import GatePolicy
from evals.gate.validation import measured_by
from evals.graders.judges.pairwise import pairwise
from evals.metrics.estimates import MetricSpec, metric_kind, metric_spec
from evals.metrics.results import ModelResults
from evals.selection.records import Standing
from evals.suites.opened import OpenedSuite

__all__ = ["choosing_check", "higher_is_better", "standing_of"]

Results = Mapping[str, ModelResults]


def choosing_check(
    policy: GatePolicy, suites: Sequence[OpenedSuite], metric: str | None, where: str
) -> Check:
    """Return the check whose metric ranks candidates: the first that decides before a model goes live.

    Checks that a candidate alone can't be measured by (each slice by itself, a judge that compares with the baseline)
    are passed over. `metric` narrows it to the checks on one metric; `where` is the file that says so.

    Raises:
        ConfigurationError: no check is left.
    """
    able = [check for check in policy.checks if _ranks(check, suites)]
    for check in able:
        if metric in (None, check.metric):
            return msgspec.structs.replace(check, with_labels=False)
    known = sorted({check.metric for check in able})
    message = f"expected the metric of a check that decides; found '{metric}'"
    if metric is None:
        message = f"no check of gate {policy.name} can rank candidates that are asked alone"
    fix = nearest(metric or "", known) or "add a check on all cases of a suite that decides"
    raise ConfigurationError(
        Problem(where=where, field="promotion.choose_by", message=message, fix=fix)
    )


def higher_is_better(check: Check, suites: Sequence[OpenedSuite]) -> bool:
    """Return the good direction of a check's metric."""
    return metric_kind(check.metric, measured_by(check, suites)[0]).higher_is_better


def standing_of(policy: GatePolicy, check: Check, place: int, results: Results) -> Standing:
    """Return how a candidate stands by `check` on all it was asked.

    Missing answers of a metric with a worst value count as that; of another one, more of them than the gate allows
    leave the candidate without a score, so that nobody is chosen for what it did not answer.
    """
    failed = tuple(_clearly_failed(policy, results))
    try:
        own = results_for(check, results)
        scored, asked = coverage(check, own)
        found = measure(check, own, None, policy.confidence)
    except (IncomparableError, ValueError, ArithmeticError):
        return Standing(place=place, score=None, asked=0, scored=0, failed=failed)
    spec = metric_spec(check.metric, own)
    assert spec is not None  # measuring it would have failed
    return Standing(
        place=place,
        score=_with_missing(spec, found.candidate, scored, asked, policy.min_scored),
        asked=asked,
        scored=scored,
        lower=found.lower,
        upper=found.upper,
        confidence=found.confidence,
        failed=failed,
    )


def _ranks(check: Check, suites: Sequence[OpenedSuite]) -> bool:
    if check.mode != "enforce" or check.measure_on != "developer" or check.each is not None:
        return False
    return not any(
        check.metric in grader.metrics() for opened in suites for grader in pairwise(opened.graders)
    )


def _with_missing(
    spec: MetricSpec, score: float | None, scored: int, asked: int, min_scored: float
) -> float | None:
    if score is None or not asked:
        return None
    if spec.bounded:
        worst = spec.lo if spec.higher_is_better else spec.hi
        return (score * scored + worst * (asked - scored)) / asked
    return score if scored >= min_scored * asked else None


def _clearly_failed(policy: GatePolicy, results: Results) -> Iterator[str]:
    """Conditions on the candidate alone that its whole interval is on the wrong side of."""
    verdict = judge(policy, Evidence(candidate=results, baseline=None, release=False))
    for one in verdict.checks:
        if one.decides and one.outcome == "FAIL" and one.rests_on == "interval":
            yield one.reason
