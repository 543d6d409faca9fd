"""Rollbacks that were begun, and whether whoever asked was told: the same request after a kill is then one rollback."""

from __future__ import annotations

from sqlalchemy import Connection, select

from evals.records import Record, decode
from flows.registry import pointers
from flows.registry.database.engine import Writer
from flows.registry.database.schema import events

__all__ = ["RollbackAttempt", "asked", "attempt", "begin", "told"]

BEGUN, TOLD = "rollback_begun", "rollback_told"


class RollbackAttempt(Record, frozen=True, kw_only=True):
    """A rollback from a generation, as it was asked for: `to` a model, or None for the one before.

    `told` once whoever asked has seen what came of it, with every application told.
    """

    generation: int
    to: str | None
    actor: str
    at: str
    told: bool


def begin(writer: Writer, target: str, *, generation: int, to: str | None, actor: str) -> bool:
    """Put on record that a target is about to go back from a generation; False, and no event, when it is at another one."""
    if pointers.generation(writer.connection, target) != generation:
        return False
    writer.append(BEGUN, actor=actor, target=target, data={"generation": generation, "to": to})
    return True


def asked(connection: Connection, target: str, to: str | None) -> int:
    """Return the generation that whoever names none means: what is live, or what the same request left unfinished."""
    now, last = pointers.newest(connection, target), attempt(connection, target)
    generation = now["generation"] if now is not None else 0
    untold = last is not None and not last.told and last.to == to
    if last is None or now is None or not untold:
        return generation
    done = now["kind"] == "rollback" and generation == last.generation + 1
    return last.generation if done else generation


def told(writer: Writer, target: str, *, actor: str) -> None:
    """Put on record that whoever asked for the last rollback knows what came of it; once is enough."""
    last = attempt(writer.connection, target)
    if last is not None and not last.told:
        writer.append(TOLD, actor=actor, target=target)


def attempt(connection: Connection, target: str) -> RollbackAttempt | None:
    """Return the last rollback that was begun, None when none ever was."""
    ours = select(events).where(events.c.target == target, events.c.kind.in_((BEGUN, TOLD)))
    rows = list(connection.execute(ours.order_by(events.c.seq.desc()).limit(2)).mappings())
    begun = next((row for row in rows if row["kind"] == BEGUN), None)
    if begun is None:
        return None
    asked, is_told = decode(begun["data"], dict), rows[0]["kind"] == TOLD
    return RollbackAttempt(**asked, actor=begun["actor"], at=begun["at"], told=is_told)
