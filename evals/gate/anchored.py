"""When a check against the anchor is not judged at all, and when the anchor can't be compared, with the reasons."""

from __future__ import annotations

from collections.abc import Mapping

from evals.checks.check import Check
from evals.checks.comparability import has_metric
from evals.checks.kept_comparison import too_few_comparable
from evals.checks.rows import coverage, due_rows
from evals.gate.anchor import HOW_TO_SET_ANOTHER
from evals.gate.policy import GatePolicy
from evals.metrics.results import ModelResults

__all__ = ["incomparable", "why_incomparable", "why_not_judged"]

Results = Mapping[str, ModelResults]


def why_not_judged(
    check: Check, candidate: Results, kept: Results | None, *, none_yet: bool
) -> str | None:
    """Return why a check against the anchor decides nothing; None when it does.

    `none_yet`: nothing was live before this candidate, so that there is no decline yet.
    """
    if kept is None:
        return "no earlier model to compare with" if none_yet else None
    if not set(candidate) <= set(kept):
        return None
    measured = any(has_metric(check.metric, one) for one in candidate.values())
    if measured and not any(has_metric(check.metric, one) for one in kept.values()):
        return "it compares two answers of one run, so that kept answers have no score of it"
    return None


def why_incomparable(policy: GatePolicy, check: Check, kept: ModelResults) -> str | None:
    """Return why a check can't be judged against kept answers; None when it can, or when its suite has too few cases
    whatever the anchor, which is the gate's own rule.
    """
    if int(due_rows(check, kept).sum()) < (check.min_cases or 0):
        return None
    short = too_few_comparable(check, kept, policy.confidence_of(check))
    if short is not None:
        return short
    scored, asked = coverage(check, kept)
    if scored < policy.min_scored * asked - 1e-9:
        share = f"{scored / asked:.2%}"
        return f"only {share} of the kept answers of {kept.model_id} were scored, the policy asks for {policy.min_scored:.2%}"
    return None


def incomparable(why: str) -> str:
    """Return the finding for an anchor that can't be compared: undecided, until the gate names another one."""
    return (
        f"the anchor can't be compared: {why or 'its answers were not kept'}; {HOW_TO_SET_ANOTHER}"
    )
