"""Earlier live models beside today's candidate: which can be compared, which of them was best, and how far it is from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from evals.checks.check import Check
from evals.checks.comparability import ComparedResults
from evals.checks.comparison import compare
from evals.checks.measurement import Measurement
from evals.checks.methods import IncomparableError
from evals.gate.anchor import measured_that_day
from evals.gate.anchored import why_incomparable
from evals.gate.examiner import Evidence
from evals.gate.judge import checks_of_each_slice
from evals.gate.policy import GatePolicy
from evals.metrics.results import ModelResults

__all__ = ["best_of", "compared_checks", "distance", "why_not_comparable"]

Kept = Mapping[str, ModelResults]
"""One model's kept answers by suite, laid out on today's rows."""


def compared_checks(policy: GatePolicy) -> tuple[Check, ...]:
    """Return the checks by which models of different days are compared: those against the anchor, or all that would be."""
    anchored = tuple(
        one for one in policy.checks if one.against == "anchor" and one.mode == "enforce"
    )
    return anchored or tuple(
        one
        for one in policy.checks
        if one.relative
        and one.mode == "enforce"
        and one.measure_on == "developer"
        and not measured_that_day(one.metric)
    )


def why_not_comparable(policy: GatePolicy, kept: Kept) -> str | None:
    """Return why a model's kept answers are no anchor for the gate; None when they are enough for every check."""
    evidence = Evidence(candidate=kept, baseline=None)
    for authored in compared_checks(policy):
        for check in checks_of_each_slice(authored, evidence):
            try:
                results, _ = ComparedResults(kept, None).of(check)
                why = why_incomparable(policy, check, results)
            except IncomparableError:
                continue  # examining the check says what is wrong with it
            if why is not None:
                return f"{check.label}: {why}"
    return None


def best_of(policy: GatePolicy, kept: Sequence[Kept]) -> int:
    """Return the place of the model that was best by the gate's first comparison, in the order in which they were live.

    Each is held, pair by pair on the cases that both can be compared on, against the best one before it, and takes its
    place when its mean is better; the older one stays when they are equal. The best of several estimates is better than
    its model in part by luck. That makes an anchor stricter than it looks, and never looser.
    """
    first = next((one for one in compared_checks(policy) if not one.where and not one.each), None)
    best = 0
    for place in range(1, len(kept) if first is not None else 0):
        assert first is not None
        found = _compared(first, kept[place], kept[best], policy.confidence)
        if found is not None and _better(first, found):
            best = place
    return best


def distance(
    policy: GatePolicy, candidate: Kept, kept: Kept
) -> Iterable[tuple[Check, Measurement | None]]:
    """Yield how far a candidate is from an earlier model, for every comparison of the gate on all cases; None where
    too little is comparable. Each bound is one-sided at the gate's confidence."""
    for check in compared_checks(policy):
        if not check.where and check.each is None:
            yield check, _compared(check, candidate, kept, policy.confidence)


def _compared(check: Check, ours: Kept, theirs: Kept, confidence: float) -> Measurement | None:
    plain = msgspec.structs.replace(check, with_labels=False)
    try:
        new, old = ComparedResults(ours, theirs).of(plain)
        if old is None:
            return None
        found = compare(plain, new, old, confidence, missing="at_random")
    except (IncomparableError, ValueError, ArithmeticError):
        return None
    return found if found.estimate is not None else None


def _better(check: Check, found: Measurement) -> bool:
    assert found.estimate is not None
    equal = 1.0 if found.ratio else 0.0
    return found.estimate < equal if check.spec.rising else found.estimate > equal
