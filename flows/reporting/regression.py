"""What a report says of a regression run: its outcome, and the recorded answers beside today's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from evals.evaluation.kept_answers import KeptAnswers
from evals.evaluation.kept_results import kept_scores
from evals.metrics.results import ModelResults
from evals.records import Response, Role, Score
from evals.report.facts import RegressionFacts
from evals.suites.opened import OpenedSuite
from flows.evaluation.kept.keep import open_reference
from flows.evaluation.kept.objections import taken_anew_sentence
from flows.evaluation.kept.recorded import recorded_in
from flows.evaluation.kept.recorded_baseline import recorded_evidence
from flows.evaluation.open_run import OpenRun
from flows.monitoring.regression_evidence import evidence_left_behind

__all__ = ["RecordedAnswers", "recorded_answers", "regression_facts", "with_recorded"]

Results = Mapping[Role, Mapping[str, ModelResults]]


def regression_facts(run: OpenRun) -> RegressionFacts | None:
    """Return what a settled regression run came to; None for other runs, and for those of before outcomes."""
    outcome = run.registry.regression_outcome(run.record.run_id)
    if outcome is None:
        return None
    recorded = recorded_in(run.folder)
    laid_out = recorded_evidence(run)
    return RegressionFacts(
        outcome=outcome.outcome,
        why=outcome.why,
        changes=outcome.changes,
        compared_with=outcome.compared_with,
        margins=outcome.margins,
        loosened=outcome.loosened,
        remedy=outcome.remedy,
        comparable=laid_out is not None and laid_out.baseline is not None,
        note=" ".join(filter(None, (recorded.note if recorded is not None else "", *_anew(run)))),
        rolled_back_to=outcome.rolled_back_to,
        rollback_problem=outcome.rollback_problem,
    )


class RecordedAnswers:
    """The recorded answers of a run's baseline, to the cases that did not change, with the scores of today's graders."""

    def __init__(self, kept: KeptAnswers, results: Mapping[str, ModelResults]) -> None:
        self._kept, self._results = kept, results

    def responses(self, opened: OpenedSuite) -> Iterator[Response]:
        """Yield the answers to a suite, one by one."""
        planned = self._planned(opened)
        lines = self._kept.lines(opened.suite.name)
        return (line.response for line in lines if line.response.case_id in planned)

    def scores(self, opened: OpenedSuite) -> Iterator[Score]:
        """Yield their scores."""
        planned = self._planned(opened)
        found = kept_scores(self._kept, opened).scores()
        return (score for score in found if score.case_id in planned)

    def _planned(self, opened: OpenedSuite) -> frozenset[str]:
        results = self._results[opened.suite.name]
        return frozenset(results.case_ids[int(row)] for row in np.flatnonzero(results.planned))


def recorded_answers(run: OpenRun) -> RecordedAnswers | None:
    """Return what stands for the baseline of a regression run; None where there is nothing to show."""
    chosen = recorded_in(run.folder)
    if chosen is None or chosen.reference is None or chosen.source == "frozen":
        return None
    found = recorded_evidence(run)
    if found is None or found.baseline is None:
        return None
    return RecordedAnswers(open_reference(run.settings, chosen.reference), found.baseline)


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
