"""What a report says of a run's retries: which there were, and whether one more would help."""

from __future__ import annotations

from collections.abc import Iterator

from evals.records import NextStep
from evals.report.numbers import instant
from flows.evaluation.lost_answers.retry import missing_answers, why_no_retry
from flows.evaluation.open_run import OpenRun

__all__ = ["retry_notes", "retry_steps"]


def retry_notes(run: OpenRun) -> Iterator[str]:
    """Yield a sentence on each retry of a run."""
    for one in run.registry.retries(run.record.run_id):
        yield (
            f"judged once more: the verdict was {one.outcome} with {one.missing:,} answers missing, which {one.actor}"
            f" had asked for again at {instant(one.at)}; the same try"
        )


def retry_steps(run: OpenRun) -> Iterator[NextStep]:
    """Yield the retry that a reader may begin; none where nothing is missing, or the verdict stands."""
    if not why_no_retry(run):
        missing = missing_answers(run)
        yield NextStep(
            command=f"gatewright retry {run.record.run_id}",
            effect=f"asks again for the {missing:,} answers that are missing, and judges anew",
        )
