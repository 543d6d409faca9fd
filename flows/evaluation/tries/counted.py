"""Counts a run among the tries of its candidate, with what changed since them and what all their answers say together."""

from __future__ import annotations

import msgspec

from evals.gate.tries.rule import with_tries
from evals.records import EarlierTry, TryCount, Verdict
from flows.evaluation.looks import Results
from flows.evaluation.open_run import OpenRun
from flows.evaluation.tries.judged_by import edits_since
from flows.evaluation.tries.pooled import pooled_checks
from flows.registry.ledger import WINDOW_S
from flows.registry.selections import CHOSEN

__all__ = ["counted", "counted_as_stored"]


def counted(run: OpenRun, verdict: Verdict, results: Results) -> Verdict:
    """Return a run's verdict with its count of tries, and what follows from it; a regression run is no try."""
    if run.record.kind == "regression":
        return verdict
    family = run.policy.family
    tries = run.registry.count_tries(
        run.record.run_id,
        confidence=run.policy.decision_confidence,
        window_s=family.window_s if family else WINDOW_S,
        allowed=family.candidates if family else None,
        together=family.confidence if family else None,
    )
    earlier = tuple(_with_edits(run, one) for one in tries.earlier)
    tries = msgspec.structs.replace(
        tries, earlier=earlier, changed_since_chosen=_changed_since_chosen(run)
    )
    return with_tries(verdict, _with_pool(run, tries, verdict, results))


def counted_as_stored(run: OpenRun, verdict: Verdict) -> Verdict:
    """Return a verdict that was made again, counted as the run's stored one was."""
    stored = run.registry.verdict(run.record.run_id)
    tries = stored.tries if stored is not None else None
    return with_tries(verdict, tries) if tries is not None else verdict


def _with_edits(run: OpenRun, earlier: EarlierTry) -> EarlierTry:
    """A gate may be loosened after a PASS; after anything else it is loosened for this candidate."""
    if earlier.outcome == "PASS":
        return earlier
    return msgspec.structs.replace(earlier, edits=edits_since(run, earlier.run_id))


def _changed_since_chosen(run: OpenRun) -> tuple[str, ...]:
    """What choosing has shown of a candidate must not choose what it is judged by afterwards."""
    selection = run.registry.run(run.record.selection) if run.record.selection else None
    field = run.registry.field(run.record.selection)
    if selection is None or field is None:
        return ()
    steps = run.registry.steps(selection.run_id)
    place = next((one.detail["place"] for one in reversed(steps) if one.step == CHOSEN), None)
    if place is None or field.candidates[place].model_id != run.record.candidate_model:
        return ()
    return run.plan.changed_since(selection)


def _with_pool(run: OpenRun, tries: TryCount, verdict: Verdict, results: Results) -> TryCount:
    others = [one.run_id for one in tries.earlier if one.try_number]
    if not others or not tries.number:
        return tries
    return msgspec.structs.replace(tries, pooled=pooled_checks(run, others, verdict, results))
