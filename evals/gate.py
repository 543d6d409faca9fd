"""The gate: results and a policy in, a verdict with a reason for every check out.

Judging is pure: no clock, no files, no network, and nothing is rounded before it decides. The worst outcome of the
checks that decide is the verdict's. Whatever can't be judged is never a pass: a missing metric, an empty slice, an
unmatched pair, a number that is none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from evals.comparison import (
    IncomparableError,
    Measurement,
    compare,
    measure,
    require_comparable,
    results_for,
)
from evals.metrics import ModelResults
from evals.policy import Check, GatePolicy
from evals.records import CheckOutcome, CheckResult, Slot, Verdict, VerdictOutcome, digest
from evals.wording import explain, too_few, unscored_share

__all__ = ["Evidence", "judge", "worst"]

_SEVERITY: dict[str, int] = {"PASS": 0, "INCONCLUSIVE": 1, "FAIL": 2, "ERROR": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is judged: results by suite name. `baseline` is None for a first release.

    `release` is False for a look at what is live already. `level` is the one-sided error level at which bounds are taken, None for the policy's own (a scheduled early look
    spends less). `slot` says where the candidate was measured.
    """

    candidate: Mapping[str, ModelResults]
    baseline: Mapping[str, ModelResults] | None
    slot: Slot = "developer"
    level: float | None = None
    release: bool = True

    def digest(self) -> str:
        """Digest of every response and score of both models, in no particular order."""
        sides = {"candidate": self.candidate, "baseline": self.baseline or {}}
        return digest(
            {
                role: {suite: results.evidence_digest for suite, results in side.items()}
                for role, side in sides.items()
            }
        )


def judge(policy: GatePolicy, evidence: Evidence) -> Verdict:
    """Judge the evidence by the policy. Pure: the same input gives the same verdict, on any machine, at any time."""
    results = tuple(
        _judge_check(policy, check, evidence)
        for authored in policy.checks
        for check in unfold(authored, evidence)
    )
    outcome, reasons = _overall(policy, evidence, results)
    return Verdict(
        outcome=outcome,
        reasons=reasons,
        checks=results,
        policy=policy.name,
        policy_digest=policy.digest,
        evidence_digest=evidence.digest(),
        candidate_model=_model(evidence.candidate) or "",
        baseline_model=_model(evidence.baseline),
        first_release=evidence.release and evidence.baseline is None,
    )


def worst(outcomes: Iterable[VerdictOutcome]) -> VerdictOutcome:
    """Return the worst outcome: ERROR before FAIL before INCONCLUSIVE before PASS; of none, ERROR."""
    return max(outcomes, key=_SEVERITY.__getitem__, default="ERROR")


def unfold(check: Check, evidence: Evidence) -> Iterator[Check]:
    """Turn `each: tag` into one check for every value the planned cases have; other checks stay as they are."""
    if check.each is None:
        yield check
        return
    tags = results_for(check, evidence.candidate).tags.get(check.each)
    values = sorted({str(value) for value in tags if value}) if tags is not None else []
    if not values:
        yield check
    for value in values:
        yield msgspec.structs.replace(check, each=None, where={**check.where, check.each: value})


def _overall(
    policy: GatePolicy, evidence: Evidence, results: tuple[CheckResult, ...]
) -> tuple[VerdictOutcome, tuple[str, ...]]:
    deciding = [result for result in results if result.decides]
    if not deciding:
        return "ERROR", ("nothing was checked: no check of this gate decides on this evidence",)
    outcome = worst(result.outcome for result in deciding)
    reasons = [result.reason for result in deciding if result.outcome == outcome != "PASS"]
    if evidence.release and evidence.baseline is None and evidence.slot == "developer":
        outcome, reasons = _first_release(policy, outcome, reasons)
    return outcome, tuple(reasons) or (f"all {len(deciding)} deciding checks hold",)


def _first_release(
    policy: GatePolicy, outcome: VerdictOutcome, reasons: list[str]
) -> tuple[VerdictOutcome, list[str]]:
    if policy.first_release == "refuse":
        return worst(["FAIL", outcome]), [
            "first release: the policy refuses without a live baseline",
            *reasons,
        ]
    if policy.first_release == "needs_approval":
        note = "first release: no live baseline to compare with, so a person has to approve"
        return worst(["INCONCLUSIVE", outcome]), [note, *reasons]
    return outcome, reasons


def _judge_check(policy: GatePolicy, check: Check, evidence: Evidence) -> CheckResult:
    confidence = 1 - evidence.level if evidence.level is not None else policy.confidence
    blank = _blank(check, confidence)
    if check.measure_on != evidence.slot:
        where = f"measured on the {check.measure_on} deployment"
        return replace_result(blank, decides=False, reason=f"{check.label}: {where}, not here")
    if check.relative and evidence.baseline is None:
        return replace_result(
            blank, decides=False, reason=f"{check.label}: no live baseline to compare with"
        )
    try:
        return _measured(policy, check, evidence, blank, confidence)
    except IncomparableError as error:
        return replace_result(blank, outcome="ERROR", reason=f"{check.label}: {error}")


def _measured(
    policy: GatePolicy, check: Check, evidence: Evidence, blank: CheckResult, confidence: float
) -> CheckResult:
    candidate = results_for(check, evidence.candidate)
    baseline = results_for(check, evidence.baseline) if evidence.baseline is not None else None
    if baseline is not None:
        require_comparable(candidate, baseline)
    uncovered = unscored_share(check, candidate, baseline, policy.min_scored)
    if check.relative and baseline is not None:
        found = compare(check, candidate, baseline, confidence)
    else:
        found = measure(check, candidate, baseline, confidence)
    return _decide(check, found, blank, uncovered)


def _decide(
    check: Check, found: Measurement, blank: CheckResult, uncovered: str | None
) -> CheckResult:
    numbers = replace_result(
        blank,
        n=found.n,
        candidate=found.candidate,
        baseline=found.baseline,
        estimate=found.estimate,
        lower=_finite(found.lower),
        upper=_finite(found.upper),
        method=found.method,
        warnings=found.warnings,
    )
    if uncovered is not None:
        return replace_result(numbers, outcome="INCONCLUSIVE", reason=f"{check.label}: {uncovered}")
    if check.min_cases is not None and found.n < check.min_cases:
        return _too_few(check, numbers)
    outcome = hold(check, found)
    return replace_result(numbers, outcome=outcome, reason=explain(check, found, outcome))


def hold(check: Check, found: Measurement) -> CheckOutcome:
    """Hold a measurement against the bar: PASS or FAIL only when the whole bound is on one side of it.

    Equality with the bar proves nothing and is INCONCLUSIVE; with `decide_on: point` the estimate alone decides and
    reaching the bar is enough.
    """
    if found.estimate is None or found.lower is None or found.upper is None or found.blocked:
        return "INCONCLUSIVE"
    bar, rising = bar_of(check, found), check.kind in ("at_most", "max_rise")
    low, high, point = (
        (-found.upper, -found.lower, -found.estimate)
        if rising
        else (found.lower, found.upper, found.estimate)
    )
    bar = -bar if rising else bar
    if (
        not all(math.isfinite(value) for value in (point, bar))
        or math.isnan(low)
        or math.isnan(high)
    ):
        return "INCONCLUSIVE"
    if check.decide_on == "point":
        return "PASS" if point >= bar else "FAIL"
    return "PASS" if low > bar else "FAIL" if high < bar else "INCONCLUSIVE"


def bar_of(check: Check, found: Measurement) -> float:
    """The value the measured quantity is held against: a level, a signed difference, or a ratio."""
    sign = -1.0 if check.kind == "max_drop" else 1.0
    if check.kind in ("at_least", "at_most"):
        return check.threshold
    return 1.0 + sign * check.threshold if found.ratio else sign * check.threshold


def _too_few(check: Check, result: CheckResult) -> CheckResult:
    reason = too_few(check, result.n)
    if check.if_too_few == "report":
        return replace_result(result, outcome="INCONCLUSIVE", decides=False, reason=reason)
    outcome: CheckOutcome = "FAIL" if check.if_too_few == "fail" else "INCONCLUSIVE"
    return replace_result(result, outcome=outcome, reason=reason)


def _blank(check: Check, confidence: float) -> CheckResult:
    return CheckResult(
        check=check.label,
        metric=check.metric,
        kind=check.kind,
        threshold=check.threshold,
        outcome="INCONCLUSIVE",
        reason="",
        decides=check.mode == "enforce",
        suite=check.suite,
        slice=check.where,
        n=0,
        confidence=confidence,
        overridable=check.overridable,
        measure_on=check.measure_on,
        decide_on=check.decide_on,
    )


replace_result = msgspec.structs.replace


def _model(side: Mapping[str, ModelResults] | None) -> str | None:
    names = {results.model_id for results in (side or {}).values()}
    return min(names) if names else None


def _finite(bound: float | None) -> float | None:
    """An unbounded side is kept as None: records hold finite numbers only."""
    return bound if bound is not None and math.isfinite(bound) else None
