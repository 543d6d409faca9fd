"""What each run was judged by: its gate, its target and the fingerprints of its suites, kept in the chain of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from evals.codec import decode
from evals.records import Edit, Record
from flows.registry import runs
from flows.registry.database.engine import Writer
from flows.registry.database.schema import events
from flows.registry.records import AUTOMATION

__all__ = ["JudgedBy", "note", "note_edits", "of_run", "run_before"]

_KIND = "judged_by"


class JudgedBy(Record, frozen=True, kw_only=True):
    """What a run was judged by. `gate` is a GatePolicy and `target` a target as plain data, None where not on record.

    `fingerprints` maps a suite's name to its fingerprint. `confidence` is that of each first try, a `family` counted in,
    None in what was kept before it was.
    """

    policy_digest: str
    fingerprints: dict[str, str]
    gate: dict[str, Any] | None = None
    target: dict[str, Any] | None = None
    confidence: float | None = None


def note(writer: Writer, run_id: str, facts: JudgedBy) -> None:
    """Keep what a run is judged by; equal to what is kept already, it is no change."""
    run = runs.require(writer.connection, run_id)
    if of_run(writer.connection, run_id) != facts:
        writer.append(_KIND, actor=AUTOMATION, target=run.target, run_id=run_id, data=facts)


def of_run(connection: Connection, run_id: str) -> JudgedBy | None:
    """Return what a run was judged by, None for one that was not judged yet, or before this was kept."""
    query = (
        select(events.c.data)
        .where(events.c.run_id == run_id, events.c.kind == _KIND)
        .order_by(events.c.seq.desc())
        .limit(1)
    )
    text = connection.execute(query).scalar()
    return decode(text, JudgedBy) if text is not None else None


def run_before(connection: Connection, run_id: str) -> str | None:
    """Return the run of the same target that was judged last before this one, None for the first."""
    run = runs.require(connection, run_id)
    own = select(events.c.seq).where(events.c.run_id == run_id, events.c.kind == _KIND)
    began = connection.execute(own.order_by(events.c.seq)).scalars().first()
    query = (
        select(events.c.run_id)
        .where(events.c.target == run.target, events.c.run_id != run_id)
        .where(events.c.kind.in_((_KIND, "verdict")))
    )
    if began is not None:
        query = query.where(events.c.seq < began)
    return connection.execute(query.order_by(events.c.seq.desc()).limit(1)).scalar()


def note_edits(writer: Writer, run_id: str, since: str, edits: Sequence[Edit]) -> None:
    """Put on record what changed since the run before; what changed nothing is no entry of the target's history."""
    run = runs.require(writer.connection, run_id)
    if (run.since_run, run.edits) == (since, tuple(edits)):
        return
    runs.note(writer, run_id, since_run=since, edits=tuple(edits))
    if edits:
        words = "; ".join(one.words for one in edits)
        writer.append(
            "edited",
            actor=run.requested_by,
            reason=f"found by run {run_id}, changed since run {since}: {words}",
            target=run.target,
            run_id=run_id,
            data={"since_run": since, "edits": msgspec.to_builtins(tuple(edits))},
        )
