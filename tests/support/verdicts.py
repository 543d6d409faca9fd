"""Checks and verdicts as they are stored, for tests that need some without measuring anything."""

from __future__ import annotations

from typing import Any

from evals.records import CheckResult, Verdict

__all__ = ["stored_check", "stored_verdict"]


def stored_check(outcome: Any = "PASS", **other: Any) -> CheckResult:
    """Return a check of the gate `triage`; `other` are its fields."""
    fields: dict[str, Any] = {
        "check": "exact_match at_least 0.8",
        "metric": "exact_match",
        "kind": "at_least",
        "threshold": 0.8,
        "reason": "0.9 is above 0.8",
        "decides": True,
        "suite": None,
        "slice": {},
        "n": 300,
        "rests_on": "interval",
    }
    return CheckResult(outcome=outcome, **{**fields, **other})


def stored_verdict(
    model: str, baseline: str | None, outcome: Any = "PASS", **other: Any
) -> Verdict:
    """Return a verdict of the gate `triage` on a model; `other` are its fields."""
    fields: dict[str, Any] = {
        "reasons": ("as measured",),
        "checks": (stored_check(outcome),),
        "policy": "triage",
        "policy_digest": "sha256:policy",
        "evidence_digest": f"sha256:evidence-{model}-{baseline}",
        "candidate_model": model,
        "baseline_model": baseline,
        "first_release": baseline is None,
    }
    return Verdict(outcome=outcome, **{**fields, **other})
