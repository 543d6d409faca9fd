"""What a report says of a regression run: its outcome, and the recorded answers beside today's."""

from __future__ import annotations

from collections.abc import Mapping

from evals.metrics.results import ModelResults
from evals.records import Role
from evals.report.facts import RegressionFacts
from flows.evaluation.kept.recorded import recorded_in
from flows.evaluation.kept.recorded_baseline import recorded_evidence
from flows.evaluation.open_run import OpenRun

__all__ = ["regression_facts", "with_recorded"]

Results = Mapping[Role, Mapping[str, ModelResults]]


def regression_facts(run: OpenRun) -> RegressionFacts | None:
    """Return what a settled regression run came to; None for other runs, and for those of before outcomes."""
    outcome = run.registry.regression_outcome(run.record.run_id)
    if outcome is None:
        return None
    recorded = recorded_in(run.folder)
    return RegressionFacts(
        outcome=outcome.outcome,
        why=outcome.why,
        changes=outcome.changes,
        compared_with=outcome.compared_with,
        note=recorded.note if recorded is not None else "",
        rolled_back_to=outcome.rolled_back_to,
        rollback_problem=outcome.rollback_problem,
    )


def with_recorded(run: OpenRun, results: Results) -> Results:
    """Return what a run answered, with the recorded answers that stand for its baseline where there are any."""
    recorded = recorded_evidence(run)
    if recorded is None or recorded.baseline is None:
        return results
    return {**results, "baseline": recorded.baseline}
