"""Which word a regression run comes to: steady, worse, changed, or that it can't tell; see `flows.registry.regression_outcomes`."""

from __future__ import annotations

from evals.records import Verdict
from flows.evaluation.kept.recorded import recorded_in
from flows.evaluation.open_run import OpenRun
from flows.monitoring.regression_evidence import RegressionEvidence
from flows.registry.regression_outcomes import RegressionOutcome, RegressionWord

__all__ = ["outcome_of_run"]


def outcome_of_run(
    run: OpenRun, verdict: Verdict, watched: RegressionEvidence | None
) -> RegressionOutcome:
    """Return what a judged regression run says of the live model."""
    recorded = recorded_in(run.folder)
    compared = recorded.source if recorded is not None and recorded.reference is not None else ""
    word, why = _word(verdict, watched, recorded.problem if recorded is not None else "")
    return RegressionOutcome(
        outcome=word,
        run_id=run.record.run_id,
        target=run.target.name,
        model_id=verdict.candidate_model,
        why=why,
        compared_with=compared,
    )


def _word(
    verdict: Verdict, watched: RegressionEvidence | None, nothing_recorded: str
) -> tuple[RegressionWord, str]:
    reason = "; ".join(verdict.reasons)[:500]
    if verdict.outcome == "FAIL":
        return "worse", reason
    if verdict.outcome == "INCONCLUSIVE" and watched is not None and watched.alarmed:
        return "worse", "all regression runs together are evidence enough: " + reason
    if verdict.outcome != "PASS":
        return "cannot_tell", reason
    if nothing_recorded and any(
        _means_a_comparison(one.kind, one.decides) for one in verdict.checks
    ):
        return "cannot_tell", f"{reason}; {nothing_recorded}"
    return "steady", reason


def _means_a_comparison(kind: str, decides: bool) -> bool:
    return kind in ("max_drop", "max_rise") and not decides
