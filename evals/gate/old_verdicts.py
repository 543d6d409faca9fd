"""Completes verdicts and looks that were stored before their checks said by fields what until then stood in sentences.

The only place that reads sentences of the gate. It changes nothing that has the fields.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from evals.records import CheckResult, CheckState, LookPosition, RestsOn, Verdict

__all__ = ["completed_check", "completed_verdict"]

_LOOK = re.compile(r"at look (\d+) of (\d+), \d+ of (\d+) cases")


def completed_verdict(verdict: Verdict) -> Verdict:
    """Return a stored verdict with the fields that its checks lack, and with where asking ended."""
    if all(check.rests_on is not None for check in verdict.checks):
        return verdict
    endings = (reason for reason in verdict.reasons if reason.startswith("asking ended "))
    return msgspec.structs.replace(
        verdict,
        checks=tuple(map(completed_check, verdict.checks)),
        ending=verdict.ending or next(endings, ""),
    )


def completed_check(check: CheckResult) -> CheckResult:
    """Return a stored result with `percent`, `state`, `rests_on` and `look`; as it is when it has them."""
    if check.rests_on is not None:
        return check
    fields: dict[str, Any] = {
        "percent": bool(re.search(rf"\b{check.kind} [-+.\de]+%", check.check)),
        "state": _state(check),
        "rests_on": _rests_on(check),
    }
    if found := _LOOK.search(check.reason):
        look, rounds, planned = map(int, found.groups())
        fields["look"] = LookPosition(look=look, rounds=rounds, planned=planned)
    return msgspec.structs.replace(check, **fields)


def _state(check: CheckResult) -> CheckState:
    if check.outcome == "INCONCLUSIVE" and "would not pass: " in check.reason:
        return "given_up"
    return "open" if "; still open at look " in check.reason else "decided"


def _rests_on(check: CheckResult) -> RestsOn:
    if check.estimate is None or check.outcome == "ERROR":
        return "rule"
    if check.decide_on == "point":
        return "point"
    if check.outcome == "INCONCLUSIVE":
        return "interval" if "this sample can't tell" in check.reason else "rule"
    return "rule" if "the policy asks for at least" in check.reason else "interval"
