"""Which word a regression run comes to: steady, worse, changed, or that it can't tell; see `flows.registry.regression_outcomes`."""

from __future__ import annotations

from evals.errors import GatewrightError
from evals.gate.policy import GatePolicy
from evals.gate.recorded import judged_as
from evals.records import Verdict
from flows.evaluation.kept.recorded import RecordedBaseline, recorded_in
from flows.evaluation.open_run import OpenRun
from flows.monitoring.regression_changes import what_changed
from flows.monitoring.regression_evidence import RegressionEvidence, runs_before, second_draw
from flows.registry.regression_outcomes import RegressionOutcome, RegressionWord

__all__ = ["outcome_of_run"]


def outcome_of_run(
    run: OpenRun, verdict: Verdict, watched: RegressionEvidence | None
) -> RegressionOutcome:
    """Return what a judged regression run says of the live model."""
    recorded = recorded_in(run.folder)
    compared = recorded.source if recorded is not None and recorded.reference is not None else ""
    changes = _changes(run, recorded)
    nothing = recorded.problem if recorded is not None else ""
    word, why = _word(verdict, watched, nothing, compares=_compares(run.policy))
    if word == "steady" and changes:
        word, why = "changed", f"{'; '.join(changes)}; no worse: {why}"
    return RegressionOutcome(
        outcome=word,
        run_id=run.record.run_id,
        target=run.target.name,
        model_id=verdict.candidate_model,
        why=why,
        changes=changes,
        compared_with=compared,
    )


def _changes(run: OpenRun, recorded: RecordedBaseline | None) -> tuple[str, ...]:
    """What moved; nothing where nothing tells, or what was recorded can't be read, which the verdict says."""
    if recorded is None or recorded.reference is None or not (run.folder / "journal").exists():
        return ()
    looks = 1 + len(runs_before(run))
    try:
        return what_changed(run, recorded.reference, second_draw(run), looks)
    except (GatewrightError, OSError):
        return ()


def _word(
    verdict: Verdict,
    watched: RegressionEvidence | None,
    nothing_recorded: str,
    *,
    compares: bool,
) -> tuple[RegressionWord, str]:
    reason = "; ".join(verdict.reasons)[:500]
    if verdict.outcome == "FAIL":
        return "worse", reason
    if verdict.outcome == "INCONCLUSIVE" and watched is not None and watched.alarmed:
        return "worse", "all regression runs together are evidence enough: " + reason
    if verdict.outcome != "PASS":
        return "cannot_tell", reason
    if nothing_recorded and compares:
        return "cannot_tell", f"{reason}; {nothing_recorded}"
    return "steady", reason


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
