"""Whether the live model still answers as it did when it was promoted: a comparison with one that fell proves nothing.

A deployment can lose quality while its model stays the same: another build behind it, a filter, a broken proxy. Every
candidate then passes what compares with it. So the live model's answers of this run are held against its kept ones.
"""

from __future__ import annotations

import msgspec

from evals.checks.check import Check
from evals.checks.comparability import ComparedResults
from evals.checks.comparison import compare
from evals.checks.measurement import Measurement
from evals.checks.methods import IncomparableError
from evals.gate.anchor import measured_that_day
from evals.gate.check_results import with_finding
from evals.gate.examiner import Evidence
from evals.gate.explanations import quantity
from evals.gate.looks import CheckLook
from evals.metrics.estimates import metric_spec

__all__ = ["require_sound_baseline"]

_FELL = "the live model's own deployment answers worse than when it was promoted"


def require_sound_baseline(
    check: Check, examined: CheckLook, evidence: Evidence, confidence: float
) -> CheckLook:
    """Return a check's result; a PASS against a live model that fell since its promotion is INCONCLUSIVE, with the reason.

    It fell when the one-sided bound of the paired difference of its answers now and kept lies below 0 at the gate's
    confidence. That counts when the estimate is as large as the check's margin, or when the deployment is seen to be
    another one. Where nothing is comparable, nothing is known and the result stands.
    """
    compared = check.relative and check.against == "baseline" and examined.result.decides
    if not compared or examined.result.outcome != "PASS" or evidence.baseline is None:
        return examined
    if measured_that_day(check.metric):
        return examined
    unread, fell = evidence.kept_problem, ""
    if not unread:
        fell = _what_fell(check, evidence, confidence)
    if not unread and not fell:
        return examined
    short = _FELL if fell else "the live model's kept answers can't be read"
    result = with_finding(
        examined.result,
        unread or fell,
        outcome="INCONCLUSIVE",
        rests_on="rule",
        overruled=short,
    )
    return msgspec.structs.replace(examined, result=result)


def _what_fell(check: Check, evidence: Evidence, confidence: float) -> str:
    """Say how far the live model fell on the cases of a check; empty when it did not, or nothing tells."""
    try:
        compared = ComparedResults(evidence.baseline or {}, evidence.kept_baseline)
        now, kept = compared.of(check)
        spec = metric_spec(check.metric, now)
        if kept is None or spec is None:
            return ""
        worse = msgspec.structs.replace(
            check,
            kind="max_drop" if spec.higher_is_better else "max_rise",
            with_labels=False,
        )
        # Lost answers say nothing of a fall; that they can't buy a PASS is the affair of `evals.checks.worst_case`.
        found = compare(worse, now, kept, confidence, missing="at_random")
    except (IncomparableError, ValueError, ArithmeticError):
        return ""
    if not _fell(worse, found):
        return ""
    changed = f" ({evidence.baseline_changed})" if evidence.baseline_changed else ""
    if not changed and not _by_the_margin(worse, found):
        return ""
    return (
        f"{_FELL}:"
        f" {quantity(worse, found)} over {found.n} cases{changed}; a comparison with it proves nothing:"
        " find out what became of the deployment, then run again"
    )


def _fell(check: Check, found: Measurement) -> bool:
    if found.blocked or found.lower is None or found.upper is None:
        return False
    equal = 1.0 if found.ratio else 0.0
    return found.lower > equal if check.spec.rising else found.upper < equal


def _by_the_margin(check: Check, found: Measurement) -> bool:
    assert found.estimate is not None  # there are bounds
    limit = check.spec.threshold(check.threshold, ratio=found.ratio)
    return found.estimate >= limit if check.spec.rising else found.estimate <= limit
