"""A second draw of the live model's answers, beside the recorded ones: without it, nobody knows how noisy the model is.

Where the reference is a fresh pass, it is the answers that won the promotion; else those of the first regression run that
was held against the same recorded answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from evals.errors import GatewrightError
from evals.metrics.results import ModelResults
from evals.records import MODEL_OUTCOMES, Response, digest
from evals.sampling.journal.journal import Journal
from flows.evaluation.kept.earlier_models import earlier_model
from flows.evaluation.kept.keep import open_reference
from flows.evaluation.kept.recorded import RecordedBaseline
from flows.evaluation.open_run import OpenRun
from flows.registry.records import RunRecord

__all__ = ["EarlierDraw", "answers_in", "earlier_draw", "texts_of"]


@dataclass(frozen=True, slots=True)
class EarlierDraw:
    """Another draw: its results by suite, laid out on today's rows, and the digest of its answer to each case of a suite.

    `promoted`: it is of the run that won the promotion, so that the model was the same.
    """

    results: Mapping[str, ModelResults]
    answers: Callable[[str], dict[str, str]]
    promoted: bool = False


def earlier_draw(
    run: OpenRun, recorded: RecordedBaseline, before: Iterable[RunRecord]
) -> EarlierDraw | None:
    """Return the second draw there is for a run, None without any. `before` are earlier runs held against the same answers."""
    try:
        if recorded.source == "reference" and recorded.reference is not None:
            found = _promoted(run, recorded.reference.generation)
            if found is not None:
                return found
        return next((one for one in map(_of_run(run), before) if one is not None), None)
    except (GatewrightError, OSError):  # what can't be read tells of no noise
        return None


def answers_in(run: OpenRun, suite: str) -> dict[str, str]:
    """Return the digest of a run's own answer to each case of a suite."""
    with Journal.open(run.folder / "journal", read_only=True) as journal:
        return texts_of(journal.responses("candidate", suite))


def texts_of(responses: Iterable[Response]) -> dict[str, str]:
    """Return the digest of the first answer to each case; without what is no answer of the model's own."""
    return {
        one.case_id: digest([(one.text or "").split(), one.tool_calls, one.outcome])
        for one in responses
        if one.repeat == 0 and one.outcome in MODEL_OUTCOMES
    }


def _promoted(run: OpenRun, generation: int) -> EarlierDraw | None:
    kept = run.registry.kept_answers(run.target.name)
    won = next((one for one in kept if one.generation == generation), None)
    if won is None:
        return None
    laid_out = earlier_model(run, won)
    if laid_out.results is None:
        return None
    opened = open_reference(run.settings, won)
    return EarlierDraw(
        laid_out.results,
        lambda suite: texts_of(line.response for line in opened.lines(suite)),
        promoted=True,
    )


def _of_run(run: OpenRun) -> Callable[[RunRecord], EarlierDraw | None]:
    def draw(record: RunRecord) -> EarlierDraw | None:
        other = OpenRun(settings=run.settings, registry=run.registry, record=record, plan=run.plan)
        if not (other.folder / "journal").is_dir():
            return None
        evaluation = other.evaluation
        found = evaluation.results(
            evaluation.rounds, {"candidate": (record.candidate_model, None)}
        )["candidate"]
        return EarlierDraw(found, lambda suite: answers_in(other, suite))

    return draw
