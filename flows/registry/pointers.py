"""Live pointers: one row for every generation of every target; the highest one is live.

Switching is compare-and-swap on the generation, in one transaction with its event. The row's primary key is (target,
generation), so that even a database with its locks broken could not hold two winners of one generation.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec
from sqlalchemy import Connection, RowMapping, insert, select

from evals.errors import StaleGenerationError
from evals.records import LivePointer, decode
from flows.platforms.model_names import folded_id, same_id
from flows.registry.database.engine import Writer
from flows.registry.database.schema import pointers
from flows.registry.eligibility import bar, by_id
from flows.registry.records import NewPointer, PointerKind, Superseded, as_text

__all__ = [
    "at",
    "find",
    "generation",
    "live",
    "live_at",
    "newest",
    "newest_two",
    "of_run",
    "previous",
    "put",
    "put_nothing",
    "require_generation",
    "root_of",
    "superseded",
    "targets",
]


def newest(connection: Connection, target: str) -> RowMapping | None:
    """Return the row of the highest generation, None when nothing was ever live."""
    query = (
        select(pointers)
        .where(pointers.c.target == target)
        .order_by(pointers.c.generation.desc())
        .limit(1)
    )
    return connection.execute(query).mappings().one_or_none()


def newest_two(connection: Connection, target: str) -> tuple[RowMapping | None, RowMapping | None]:
    """Return the rows of the two highest generations, newest first."""
    query = (
        select(pointers)
        .where(pointers.c.target == target)
        .order_by(pointers.c.generation.desc())
        .limit(2)
    )
    rows = [*connection.execute(query).mappings(), None, None]
    return rows[0], rows[1]


def targets(connection: Connection) -> tuple[str, ...]:
    """Return every target that ever had something live, sorted."""
    query = select(pointers.c.target).distinct().order_by(pointers.c.target)
    return tuple(connection.execute(query).scalars())


def live(connection: Connection, target: str) -> LivePointer | None:
    """Return what is live, None when nothing is (never anything, or withdrawn)."""
    return _pointer(newest(connection, target))


def at(connection: Connection, target: str, generation: int) -> LivePointer | None:
    """Return what was live at a generation, None when nothing was."""
    query = select(pointers).where(pointers.c.target == target, pointers.c.generation == generation)
    return _pointer(connection.execute(query).mappings().one_or_none())


def live_at(connection: Connection, target: str, moment: str) -> LivePointer | None:
    """Return what was live at a time (UTC, ISO 8601, as the registry writes it), None when nothing was."""
    query = (
        select(pointers)
        .where(pointers.c.target == target, pointers.c.since <= moment)
        .order_by(pointers.c.generation.desc())
        .limit(1)
    )
    return _pointer(connection.execute(query).mappings().one_or_none())


def generation(connection: Connection, target: str) -> int:
    """Return the generation the next switch has to expect: 0 when nothing was ever live."""
    row = newest(connection, target)
    return row["generation"] if row is not None else 0


def require_generation(connection: Connection, target: str, expected: int) -> None:
    """Raise StaleGenerationError unless the target is at the expected generation (0: nothing was ever live)."""
    row = newest(connection, target)
    found = row["generation"] if row is not None else 0
    if found == expected:
        return
    now = f"{row['model_id'] or 'nothing'} is live" if row is not None else "nothing was ever live"
    raise StaleGenerationError(
        f"{target} is at generation {found} ({now}), not {expected}: somebody changed it first"
    )


def put(
    writer: Writer,
    new: NewPointer,
    *,
    generation: int,
    actor: str,
    reason: str,
    kind: PointerKind,
    evidence_digest: str | None,
    restores: int | None,
) -> LivePointer:
    """Write the row and the event of a pointer that was found allowed."""
    pointer = LivePointer(**msgspec.structs.asdict(new), generation=generation, since=writer.at)
    seq = writer.append(
        kind,
        actor=actor,
        reason=reason,
        target=new.target,
        run_id=new.run_id,
        model_id=new.model_id,
        from_model=_model(newest(writer.connection, new.target)),
        generation=generation,
        evidence_digest=evidence_digest,
        data={"pointer": pointer, "restores": restores},
    ).seq
    writer.connection.execute(
        insert(pointers).values(
            target=new.target,
            generation=generation,
            kind=kind,
            model_id=new.model_id,
            pointer=as_text(pointer),
            restores=restores,
            run_id=new.run_id,
            since=writer.at,
            seq=seq,
        )
    )
    return pointer


def put_nothing(
    writer: Writer, target: str, *, generation: int, actor: str, reason: str, run_id: str | None
) -> None:
    """Write the row and the event of a withdrawal."""
    seq = writer.append(
        "withdrawal",
        actor=actor,
        reason=reason,
        target=target,
        run_id=run_id,
        from_model=_model(newest(writer.connection, target)),
        generation=generation,
        data={"pointer": None, "restores": None},
    ).seq
    writer.connection.execute(
        insert(pointers).values(
            target=target,
            generation=generation,
            kind="withdrawal",
            run_id=run_id,
            since=writer.at,
            seq=seq,
        )
    )


def previous(connection: Connection, target: str) -> LivePointer | None:
    """Return the pointer to go back to: the model live before that was neither refused nor revoked since.

    Rolling back walks down a stack: what was rolled back *from* is not come back to by itself.
    """
    current = newest(connection, target)
    if current is None:
        return None
    below = current["restores"] or current["generation"]
    return _first_allowed(connection, target, below, current["model_id"])


def find(connection: Connection, target: str, model_id: str) -> LivePointer | None:
    """Return the newest pointer at which the model was live, None when it never was."""
    query = (
        select(pointers)
        .where(pointers.c.target == target, by_id(pointers.c.model_id) == folded_id(model_id))
        .order_by(pointers.c.generation.desc())
        .limit(1)
    )
    return _pointer(connection.execute(query).mappings().one_or_none())


def of_run(connection: Connection, run_id: str) -> tuple[LivePointer, ...]:
    """Return every pointer a run set, oldest first."""
    query = select(pointers).where(pointers.c.run_id == run_id).order_by(pointers.c.generation)
    found = (_pointer(row) for row in connection.execute(query).mappings())
    return tuple(pointer for pointer in found if pointer is not None)


def superseded(connection: Connection, target: str) -> tuple[Superseded, ...]:
    """Return every generation that is no longer live, oldest first, with the time its successor came."""
    query = select(pointers).where(pointers.c.target == target).order_by(pointers.c.generation)
    rows = list(connection.execute(query).mappings())
    pairs = ((_pointer(row), after["since"]) for row, after in pairwise(rows))
    return tuple(
        Superseded(
            target=target,
            generation=pointer.generation,
            model_id=pointer.model_id,
            deployment=pointer.deployment,
            until=until,
        )
        for pointer, until in pairs
        if pointer is not None
    )


def root_of(connection: Connection, pointer: LivePointer) -> int:
    """Return the generation a pointer stands for: its own, or the one it restored."""
    query = select(pointers.c.restores).where(
        pointers.c.target == pointer.target, pointers.c.generation == pointer.generation
    )
    return connection.execute(query).scalar_one_or_none() or pointer.generation


def _first_allowed(
    connection: Connection, target: str, below: int, but: str | None
) -> LivePointer | None:
    query = (
        select(pointers)
        .where(pointers.c.target == target, pointers.c.generation < below)
        .where(pointers.c.model_id.is_not(None))
        .order_by(pointers.c.generation.desc())
    )
    for row in connection.execute(query).mappings().all():
        if (
            not (but and same_id(row["model_id"], but))
            and bar(connection, target, row["model_id"]) is None
        ):
            return _pointer(row)
    return None


def _model(row: RowMapping | None) -> str | None:
    return row["model_id"] if row is not None else None


def _pointer(row: RowMapping | None) -> LivePointer | None:
    if row is None or row["pointer"] is None:
        return None
    return decode(row["pointer"], LivePointer)
