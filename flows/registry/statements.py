"""Signed statements about promotions, kept as they were written."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from evals.errors import RegistryError
from evals.records import decode, digest
from flows.registry.database.engine import Writer
from flows.registry.database.schema import statements
from flows.registry.records import AUTOMATION, as_text
from flows.registry.runs import require

__all__ = ["save", "statement"]


def save(writer: Writer, run_id: str, envelope: dict[str, Any], *, actor: str = AUTOMATION) -> None:
    """Store a run's statement once. An equal one is no change; a different one raises RegistryError."""
    run, new = require(writer.connection, run_id), digest(envelope)
    query = select(statements.c.digest).where(statements.c.run_id == run_id)
    stored = writer.connection.execute(query).scalar()
    if stored == new:
        return
    if stored is not None:
        raise RegistryError(
            f"the statement of run {run_id} is on record already and says something else"
        )
    event = writer.append(
        "statement", actor=actor, target=run.target, run_id=run_id, data={"digest": new}
    )
    writer.connection.execute(
        insert(statements).values(
            run_id=run_id, digest=new, envelope=as_text(envelope), at=writer.at, seq=event.seq
        )
    )


def statement(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """Return a run's statement (a DSSE envelope, or the bare statement), None when there is none."""
    query = select(statements.c.envelope).where(statements.c.run_id == run_id)
    text = connection.execute(query).scalar()
    return decode(text, dict) if text is not None else None
