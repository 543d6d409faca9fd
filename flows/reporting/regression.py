"""What a report says of a regression run: its outcome, and the recorded answers beside today's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evals.metrics.results import ModelResults
from evals.records import Role
from evals.report.facts import RegressionFacts
from flows.evaluation.kept.objections import taken_anew_sentence
from flows.evaluation.kept.recorded import recorded_in
from flows.evaluation.kept.recorded_baseline import recorded_evidence
from flows.evaluation.open_run import OpenRun
from flows.monitoring.regression_evidence import evidence_left_behind

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
        note=" ".join(filter(None, (recorded.note if recorded is not None else "", *_anew(run)))),
        rolled_back_to=outcome.rolled_back_to,
        rollback_problem=outcome.rollback_problem,
    )


def _anew(run: OpenRun) -> Iterator[str]:
    """That a person took the reference after the model got worse, and which evidence does not add up with today's."""
    recorded = recorded_in(run.folder)
    held = recorded.reference if recorded is not None else None
    if held is None:
        return
    taken = run.registry.reference_taken_anew(run.record.target, held.generation)
    if taken is not None and taken.digest == held.digest:
        yield f"{taken_anew_sentence(taken)}."
    if (before := evidence_left_behind(run)) is not None:
        yield before


def with_recorded(run: OpenRun, results: Results) -> Results:
    """Return what a run answered, with the recorded answers that stand for its baseline where there are any."""
    recorded = recorded_evidence(run)
    if recorded is None or recorded.baseline is None:
        return results
    return {**results, "baseline": recorded.baseline}
