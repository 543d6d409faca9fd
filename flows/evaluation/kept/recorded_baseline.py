"""A baseline that is not asked: a model's recorded answers, chosen once for a run, graded by today's graders, laid out on
today's rows.

So a regression run holds what is live against its own answers of before. What is chosen is pinned when the run's candidate is
named; whoever judges the run again takes the same. A case that changed since, or is asked in another way, is not compared
(`evals.checks.kept_comparison`).
"""

from __future__ import annotations

from evals.evaluation.kept_results import KeptEvidence
from flows.evaluation.kept.anchor import kept_as
from flows.evaluation.kept.earlier_models import earlier_model, earlier_models, graded_model
from flows.evaluation.kept.frozen_baseline import asked_for, frozen_model, grade_frozen
from flows.evaluation.kept.frozen_choice import against_mark
from flows.evaluation.kept.recorded import RecordedBaseline, keep_recorded, recorded_in
from flows.evaluation.open_run import OpenRun
from flows.registry.kept_answers import KeptReference
from flows.registry.provenance import origin

__all__ = ["frozen_evidence", "grade_recorded", "pin_own_answers", "recorded_evidence"]

_LUCKY = (
    "the reference is the answers that won its promotion, often better than usual by luck; take a fresh one with:"
    " gatewright reference"
)
_NONE = "no answers of this model are on record; take them with: gatewright reference"


def pin_own_answers(run: OpenRun, model: str) -> None:
    """Choose the recorded answers of what is live for a regression run; what was chosen stays."""
    if recorded_in(run.folder) is None:
        keep_recorded(run.folder, _own(run, model))


async def grade_recorded(run: OpenRun) -> None:
    """Have today's graders score the recorded answers, as far as they have not. Judges may be asked meanwhile."""
    found = recorded_in(run.folder)
    if found is not None and found.reference is not None:
        if found.source == "frozen":
            await grade_frozen(run, found.reference)
        else:
            await graded_model(run, found.reference)


def recorded_evidence(run: OpenRun) -> KeptEvidence | None:
    """Return the recorded answers that a run is judged against; None where its baseline is asked, or it has none."""
    found = recorded_in(run.folder)
    if found is None:
        return None
    if found.reference is None:
        return KeptEvidence(recorded=True, recorded_problem=found.problem)
    if found.source == "frozen":
        return _frozen(run, found, found.reference)
    one = earlier_model(run, found.reference)
    return KeptEvidence(recorded=True, baseline=one.results, recorded_problem=one.problem)


def frozen_evidence(run: OpenRun, against: str) -> KeptEvidence:
    """Return what a run is judged against when it is held against "frozen" or "frozen:ID" after the fact.

    Raises as `flows.evaluation.kept.frozen_choice.against_mark`.
    """
    mark = against_mark(run.settings, run.registry, run.plan, against, "evaluation")
    chosen = asked_for(run, mark)
    assert chosen.reference is not None
    return _frozen(run, chosen, chosen.reference)


def _frozen(run: OpenRun, found: RecordedBaseline, reference: KeptReference) -> KeptEvidence:
    one = frozen_model(run, reference)
    return KeptEvidence(
        recorded=True,
        baseline=one.results,
        recorded_problem=one.problem,
        recorded_model=reference.model_id,
        recorded_note=found.note,
        recorded_as=reference.run_id,
    )


def _own(run: OpenRun, model: str) -> RecordedBaseline:
    target = run.target.name
    pointer = run.registry.find(target, model)
    if pointer is None:
        return RecordedBaseline(source="promotion", problem=f"{_NONE} {target}")
    generation = origin(run.registry, pointer).generation
    fresh = run.registry.reference(target, generation)
    if fresh is not None:
        return RecordedBaseline(source="reference", reference=fresh)
    found = kept_as(run, earlier_models(run), pointer.generation)
    failed = run.registry.reference_failure(target, generation)
    because = f" (there are no fresh ones: {failed})" if failed else ""
    if found is None:
        return RecordedBaseline(source="promotion", problem=f"{_NONE} {target}{because}")
    return RecordedBaseline(
        source="promotion", reference=found.reference, note=f"{_LUCKY} {target}{because}"
    )
