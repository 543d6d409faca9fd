"""Selections on record, without anything having been asked."""

from __future__ import annotations

from typing import Any

import msgspec

from evals.records import Candidate
from evals.selection.records import FieldPlan, RungResult, Standing
from evals.selection.split import SplitRule
from flows.registry.records import RunRecord
from flows.registry.selections import CHOSEN
from flows.registry.store import Registry

__all__ = ["begin_selection", "settle_selection"]


def begin_selection(registry: Registry, *models: str, run_id: str = "triage-s1") -> str:
    """Put a field of these models on record; returns the selection's id."""
    registry.start_run(
        RunRecord(
            run_id=run_id,
            target="triage",
            kind="selection",
            requested_by="ana",
            trigger={"candidates": list(models)},
        )
    )
    registry.enter_field(run_id, field_plan(*models))
    return run_id


def settle_selection(registry: Registry, run_id: str, place: int | None) -> None:
    """Have the first rung drop everybody but the candidate at a place, and put the choice on record."""
    plan = registry.field(run_id)
    assert plan is not None
    rung = RungResult(
        rung=1,
        cases=40,
        standings=tuple(
            Standing(
                place=number,
                score=0.75 if number == place else 0.5,
                asked=40,
                scored=40,
                lower=0.4,
                upper=0.8,
                left=number == place,
            )
            for number in range(len(plan.candidates))
        ),
    )
    detail: dict[str, Any] = msgspec.to_builtins(rung)
    registry.record_step(run_id, "rung 1", "done", detail)
    registry.record_step(run_id, CHOSEN, "done", {"place": place, "why": "it was the best"})
    registry.set_run_state(run_id, "judged" if place is not None else "refused", "it was the best")


def field_plan(*models: str) -> FieldPlan:
    return FieldPlan(
        named=models,
        candidates=tuple(Candidate(model_id=model, target="triage") for model in models),
        rule=SplitRule(share=0.25),
        choosing={"triage": 40},
        judging={"triage": 120},
        metric="exact",
        check="exact at_least 0.5",
        higher_is_better=True,
        rungs=(40,),
    )
