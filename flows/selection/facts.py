"""What happened in a selection, for reports and pages."""

from __future__ import annotations

from evals.selection.records import SelectionFacts
from flows.registry.selections import CHOSEN
from flows.registry.store import Registry
from flows.selection.open_selection import rungs_of

__all__ = ["selection_facts"]


def selection_facts(registry: Registry, run_id: str) -> SelectionFacts | None:
    """Return what is on record of a selection; None for no selection, or one whose field is not open yet."""
    plan = registry.field(run_id) if run_id else None
    if plan is None:
        return None
    choice = [mark.detail for mark in registry.steps(run_id) if mark.step == CHOSEN]
    return SelectionFacts(
        selection=run_id,
        plan=plan,
        rungs=rungs_of(registry, run_id),
        chosen=choice[-1]["place"] if choice else None,
        why=choice[-1]["why"] if choice else "",
    )
