"""Says why a gate lets nobody accept a verdict, check by check, and what can be done instead."""

from __future__ import annotations

from collections.abc import Sequence

from evals.gate.looks import LookEvent
from evals.gate.policy import GatePolicy
from evals.records import CheckResult, Verdict
from flows.registry.records import RunRecord

__all__ = ["why_forbidden"]

_WAYS = (("job_id", "--job"), ("model_id", "--model"), ("checkpoint", "--checkpoint"))


def why_forbidden(
    run: RunRecord, verdict: Verdict, policy: GatePolicy, looks: Sequence[LookEvent]
) -> str:
    """Return why no person's word can make this verdict good, empty when the gate lets people.

    `looks` are those the run made: checks that can't be overridden and are open only because asking ended early can be
    decided by asking every case.
    """
    if verdict.outcome == "INCONCLUSIVE" and policy.on_inconclusive == "fail":
        return "the gate lets nobody accept that (on_inconclusive: fail)"
    if verdict.outcome == "ERROR":
        return "nobody can accept an ERROR: remove its cause and judge again"
    if verdict.outcome != "FAIL":
        return ""
    fixed = [c for c in verdict.checks if c.decides and c.outcome != "PASS" and not c.overridable]
    failed = [check for check in fixed if check.outcome != "INCONCLUSIVE"]
    undecided = [check for check in fixed if check.outcome == "INCONCLUSIVE"]
    said = []
    if failed:
        said.append(f"the gate lets nobody override {_names(failed)}")
    if undecided:
        said.append(f"the gate wants proof of {_names(undecided)}, {_why_open(looks)}")
    if undecided and not failed:
        said.append(_way_out(run, looks))
    return "; ".join(said)


def _names(checks: Sequence[CheckResult]) -> str:
    return ", ".join(f"'{check.check}'" for check in checks)


def _ended_early(looks: Sequence[LookEvent]) -> bool:
    return bool(looks) and looks[-1].stop and looks[-1].look < looks[-1].rounds


def _why_open(looks: Sequence[LookEvent]) -> str:
    return "undecided because asking ended early" if _ended_early(looks) else "which stay undecided"


def _way_out(run: RunRecord, looks: Sequence[LookEvent]) -> str:
    if not _ended_early(looks):
        return "a larger suite may decide that"
    named = next((f"{flag} {run.trigger[key]}" for key, flag in _WAYS if key in run.trigger), "")
    command = f"gatewright promote {run.target} {named} --again --no-early-stop"
    return f"to decide it, ask every case: {command}"
