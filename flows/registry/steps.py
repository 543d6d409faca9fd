"""Marks a promotion leaves before and after each of its steps, so that a restart knows how far it came."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from evals.records import decode
from flows.registry.database.engine import Writer
from flows.registry.database.schema import steps
from flows.registry.records import AUTOMATION, Step, StepPhase, as_text
from flows.registry.runs import require

__all__ = ["mark", "marks"]


def mark(
    writer: Writer,
    run_id: str,
    step: str,
    phase: StepPhase,
    detail: dict[str, Any] | None = None,
    *,
    actor: str = AUTOMATION,
) -> Step:
    """Leave a mark. Raises RegistryError when the run is not known."""
    run, detail = require(writer.connection, run_id), detail or {}
    event = writer.append(
        "step",
        actor=actor,
        target=run.target,
        run_id=run_id,
        data={"step": step, "phase": phase, "detail": detail},
    )
    writer.connection.execute(
        insert(steps).values(
            seq=event.seq,
            run_id=run_id,
            step=step,
            phase=phase,
            detail=as_text(detail),
            at=writer.at,
        )
    )
    return Step(seq=event.seq, run_id=run_id, step=step, phase=phase, detail=detail, at=writer.at)


def marks(connection: Connection, run_id: str) -> tuple[Step, ...]:
    """Return a run's marks, oldest first."""
    query = select(steps).where(steps.c.run_id == run_id).order_by(steps.c.seq)
    return tuple(
        Step(**{**row, "detail": decode(row["detail"], dict)})
        for row in connection.execute(query).mappings()
    )
