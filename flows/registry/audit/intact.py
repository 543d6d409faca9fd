"""Is what a switch rests on what it was? Looked at inside its transaction, so that no edited row makes a model live.

Checked are the events of the target, each by its own hash and by the link of the one after it, and against them the rows that are read before
a switch: pointers, runs, verdicts, results, selections, answers, holds and frozen baselines. That the whole chain holds is `verify`'s to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, func, select

from evals.errors import RegistryError
from flows.registry.audit import chain, rows
from flows.registry.audit.frozen import frozen_problems
from flows.registry.audit.runs import run_problems
from flows.registry.database.schema import chain_head, events
from flows.registry.records import Event

__all__ = ["require_intact", "require_pointers_intact"]


def require_intact(connection: Connection, target: str) -> None:
    """Raise RegistryError when anything a promotion of the target rests on was altered, removed or slipped in."""
    known = _events_of(connection, target)
    _refuse(target, _chain_problems(connection, target, known))
    _refuse(target, _row_problems(connection, target, known))


def require_pointers_intact(connection: Connection, target: str) -> None:
    """Raise RegistryError when a generation that may be gone back to is not as its event tells."""
    known = _events_of(connection, target)
    _refuse(target, rows.pointer_problems(connection, known, target))


def _row_problems(connection: Connection, target: str, known: Mapping[int, Event]) -> Iterator[str]:
    yield from rows.written_once_problems(connection, known, target, but=("statement", "split"))
    yield from rows.answer_problems(connection, known, target)
    yield from run_problems(connection, known, target)
    yield from rows.pointer_problems(connection, known, target)
    yield from rows.hold_problems(connection, known, target)
    yield from frozen_problems(connection, known, target)


def _chain_problems(
    connection: Connection, target: str, known: Mapping[int, Event]
) -> Iterator[str]:
    yield from (chain.altered(event) for event in known.values() if not chain.holds(event))
    after = events.alias()
    broken = select(events.c.seq).join(after, after.c.seq == events.c.seq + 1)
    broken = broken.where(events.c.target == target, after.c.previous_hash != events.c.hash)
    for seq in connection.execute(broken).scalars():
        yield f"event {seq + 1} does not follow event {seq}: that one was altered or replaced"
    count = connection.execute(select(func.count()).select_from(events)).scalar_one()
    number = connection.execute(select(chain_head.c.seq)).scalar_one()
    if count != number:
        yield f"of {number} events {count} are there"


def _events_of(connection: Connection, target: str) -> dict[int, Event]:
    """The target's events but the steps of its promotions, which no switch rests on."""
    query = select(events).where(events.c.target == target, events.c.kind != "step")
    found = connection.execute(query.order_by(events.c.seq)).mappings()
    return {row["seq"]: Event(**row) for row in found}


def _refuse(target: str, problems: Iterator[str]) -> None:
    first = next(problems, None)
    if first is not None:
        raise RegistryError(
            f"the registry was changed past Gatewright: {first}. Nothing is made live for {target} on that;"
            " `gatewright verify` names all that was changed, and a backup whose chain holds puts it right"
        )
