"""Which word a regression run comes to: steady, worse, changed, or that it can't tell; see `flows.registry.regression_outcomes`."""

from __future__ import annotations

from typing import NamedTuple

from evals.errors import GatewrightError
from evals.gate.policy import GatePolicy
from evals.gate.recorded import NOT_COMPARABLE, judged_as
from evals.records import CheckResult, Verdict
from flows.evaluation.kept.recorded import RecordedBaseline, recorded_in
from flows.evaluation.kept.recorded_baseline import recorded_evidence
from flows.evaluation.open_run import OpenRun
from flows.monitoring.loosened_gate import loosened_since
from flows.monitoring.regression_changes import what_changed
from flows.monitoring.regression_evidence import RegressionEvidence, runs_before, second_draw
from flows.registry.regression_outcomes import RegressionOutcome, RegressionWord

__all__ = ["outcome_of_run"]

_COMMAND = "gatewright reference"


def outcome_of_run(
    run: OpenRun, verdict: Verdict, watched: RegressionEvidence | None
) -> RegressionOutcome:
    """Return what a judged regression run says of the live model."""
    recorded = recorded_in(run.folder)
    compared = recorded.source if recorded is not None and recorded.reference is not None else ""
    found = _compared(run, recorded, verdict)
    word, why = _word(verdict, watched, found.problem)
    margins = tuple(one.check for one in verdict.checks if _holds_against_itself(one))
    if word == "steady" and found.changes:
        by = f" by {', '.join(margins)}" if margins else ""
        word, why = "changed", f"{'; '.join(found.changes)}; not worse{by}: {why}"
    loosened = loosened_since(run, verdict.candidate_model)
    if loosened and word in ("steady", "changed"):
        why = f"{why}; {'; '.join(loosened)}"
    remedy = _remedy(run, verdict, found.problem) if word == "cannot_tell" else ""
    return RegressionOutcome(
        outcome=word,
        run_id=run.record.run_id,
        target=run.target.name,
        model_id=verdict.candidate_model,
        why=f"{why}; {remedy}" if remedy else why,
        remedy=remedy,
        changes=found.changes,
        margins=margins,
        loosened=loosened,
        compared_with=compared,
    )


class _Compared(NamedTuple):
    """What moved since the recorded answers; `problem` says why the model could not be held against them."""

    changes: tuple[str, ...] = ()
    problem: str = ""


def _compared(run: OpenRun, recorded: RecordedBaseline | None, verdict: Verdict) -> _Compared:
    """Hold a model against its recorded answers. Absolute checks alone never show that it is as it was."""
    if recorded is None or recorded.reference is None:
        nothing = "the run was held against no recorded answers"
        return _Compared(problem=recorded.problem if recorded is not None else nothing)
    try:
        laid_out = recorded_evidence(run)
        if laid_out is None or laid_out.baseline is None:
            return _Compared(problem=laid_out.recorded_problem if laid_out is not None else "")
        draw = second_draw(run)
        looks = 1 + len(runs_before(run))
        changes = what_changed(run, recorded.reference, draw, looks)
    except (GatewrightError, OSError) as error:
        return _Compared(problem=str(error))
    if not any(one.planned.any() for one in laid_out.baseline.values()):
        return _Compared(changes, "none of its cases is as it was when they were answered")
    if _compares(run.policy):
        judged = any(_holds_against_itself(one) for one in verdict.checks)
        return _Compared(changes, "" if judged else "no check compared it with its own answers")
    if draw is None:
        return _Compared(changes, "its gate has no margin, and its answers were recorded only once")
    return _Compared(changes)


def _holds_against_itself(check: CheckResult) -> bool:
    paired = check.against == "baseline" and bool(check.against_model)
    return paired and check.decides and check.outcome == "PASS"


def _word(
    verdict: Verdict, watched: RegressionEvidence | None, uncompared: str
) -> tuple[RegressionWord, str]:
    reason = "; ".join(verdict.reasons)[:500]
    if verdict.outcome == "FAIL":
        return "worse", reason
    if verdict.outcome == "INCONCLUSIVE" and watched is not None and watched.alarmed:
        return "worse", "all regression runs together are evidence enough: " + reason
    if verdict.outcome != "PASS":
        return "cannot_tell", reason
    if uncompared:
        return "cannot_tell", f"{reason}, but {uncompared}"
    return "steady", reason


def _remedy(run: OpenRun, verdict: Verdict, uncompared: str) -> str:
    """What to do where today's answers could not be held against recorded ones; empty where that is not the reason."""
    checks = [one for one in verdict.checks if one.decides and one.overruled == NOT_COMPARABLE]
    if not (uncompared and verdict.outcome == "PASS") and not checks:
        return ""
    return (
        f"once you know that the model is good, take a new reference: {_COMMAND} {run.target.name}"
    )


def _compares(policy: GatePolicy) -> bool:
    """Whether a gate asks for comparisons that a model can be held to against its own answers."""
    return any(
        one.relative
        and one.mode == "enforce"
        and one.against == "baseline"
        and one.measure_on == "developer"
        and not one.spec.superiority
        and judged_as(one).mode == "enforce"
        for one in policy.checks
    )
