"""Which models' answers are kept: on record as a step of the run that made the model live, so that the chain holds their digest."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, select

from evals.records import Record, decode
from flows.registry.database.schema import pointers, steps

__all__ = ["KEPT", "KeptReference", "kept_answers", "unkept_runs"]

KEPT = "kept"
"""The step of a promotion that keeps the candidate's answers; its mark holds their digest."""

_PROMOTED = ("promotion", "first_release")


class KeptReference(Record, frozen=True, kw_only=True):
    """Points to kept answers: of the model that was made live as a generation, by a run; `digest` is that of the record."""

    target: str
    generation: int
    model_id: str
    run_id: str
    digest: str
    since: str


def kept_answers(connection: Connection, target: str) -> tuple[KeptReference, ...]:
    """Return the kept answers of every model that was promoted for a target, in the order of their generations."""
    digests = _digests(connection, target)
    return tuple(
        KeptReference(
            target=target,
            generation=row.generation,
            model_id=row.model_id,
            run_id=row.run_id,
            digest=digests[row.run_id],
            since=row.since,
        )
        for row in connection.execute(_promotions(target))
        if row.run_id in digests
    )


def unkept_runs(connection: Connection, target: str) -> tuple[str, ...]:
    """Return the runs that made a model live whose answers are not kept, in the order of their generations."""
    digests = _digests(connection, target)
    rows = connection.execute(_promotions(target))
    return tuple(row.run_id for row in rows if row.run_id not in digests and row.run_id is not None)


def _promotions(target: str) -> Select[Any]:
    return (
        select(pointers)
        .where(pointers.c.target == target, pointers.c.kind.in_(_PROMOTED))
        .order_by(pointers.c.generation)
    )


def _digests(connection: Connection, target: str) -> dict[str, str]:
    """The digest that each run's newest mark holds."""
    query = (
        select(steps.c.run_id, steps.c.detail)
        .join(pointers, pointers.c.run_id == steps.c.run_id)
        .where(pointers.c.target == target, steps.c.step == KEPT, steps.c.phase == "done")
        .order_by(steps.c.seq)
    )
    found = {row.run_id: decode(row.detail, dict) for row in connection.execute(query)}
    return {run_id: str(detail["digest"]) for run_id, detail in found.items() if "digest" in detail}
