"""Changing what is live: every way there is, each with what it demands."""

from __future__ import annotations

from sqlalchemy import Connection

from evals.errors import RefusedError
from evals.records import LivePointer
from flows.registry import eligibility, holds, leases, pointers
from flows.registry.audit.intact import require_intact, require_pointers_intact
from flows.registry.clearance import require_cleared
from flows.registry.database.engine import Writer
from flows.registry.records import Event, NewPointer, PointerKind

__all__ = ["revoke", "switch", "withdraw"]


def switch(
    writer: Writer,
    new: NewPointer,
    *,
    expected_generation: int,
    actor: str,
    reason: str,
    kind: PointerKind = "promotion",
    hold: bool = False,
    holder: str | None = None,
) -> LivePointer:
    """Make `new` live by compare-and-swap; with `hold`, hold the target in the same transaction.

    `holder` is the process that has to hold the target for this run; None asks for no lease.

    promotion, first_release   a run in state `promoting`, its verdict clears this model against what is live; no hold
    rollback                   the model was live before and is neither refused nor revoked
    restore                    the run undoes its own switch, to exactly what was live before it
    adopt                      a person's word; the model is neither refused nor revoked

    Raises StaleGenerationError when the generation moved, LeaseLostError when another process took over, RefusedError
    saying what forbids it, RegistryError when a row it rests on is not what its event tells; nothing changes then.
    """
    eligibility.refuse_blank(actor, reason)
    if holder is not None:
        leases.require(writer.connection, str(new.run_id), holder)
    # Compare and swap are one: this transaction holds the only write lock, so the generation can't move before it commits.
    pointers.require_generation(writer.connection, new.target, expected_generation)
    evidence, restores = None, None
    if kind in ("promotion", "first_release"):
        require_intact(writer.connection, new.target)
        evidence = require_cleared(writer.connection, new, expected_generation).evidence_digest
    else:
        restores = _allowed(writer.connection, new, kind)
    pointer = pointers.put(
        writer,
        new,
        generation=expected_generation + 1,
        actor=actor,
        reason=reason,
        kind=kind,
        evidence_digest=evidence,
        restores=restores,
    )
    if hold:
        holds.place(writer, new.target, actor=actor, reason=reason, run_id=new.run_id)
    return pointer


def withdraw(
    writer: Writer,
    target: str,
    *,
    expected_generation: int,
    actor: str,
    reason: str,
    run_id: str | None = None,
) -> int:
    """Make nothing live (a first release that failed half-way) and return the new generation.

    Raises StaleGenerationError when the generation moved.
    """
    eligibility.refuse_blank(actor, reason)
    pointers.require_generation(writer.connection, target, expected_generation)
    number = expected_generation + 1
    pointers.put_nothing(
        writer, target, generation=number, actor=actor, reason=reason, run_id=run_id
    )
    return number


def revoke(
    writer: Writer,
    target: str,
    model_id: str,
    *,
    actor: str,
    reason: str,
    run_id: str | None = None,
    evidence_digest: str | None = None,
    hold: bool = True,
) -> Event:
    """Bar a model from a target (it failed re-validation), and hold the target in the same transaction."""
    event = eligibility.revoke(
        writer,
        target,
        model_id,
        actor=actor,
        reason=reason,
        run_id=run_id,
        evidence_digest=evidence_digest,
    )
    if hold:
        holds.place(writer, target, actor=actor, reason=reason, run_id=run_id)
    return event


def _allowed(connection: Connection, new: NewPointer, kind: PointerKind) -> int | None:
    """Return the generation that is restored, None when it is a new one."""
    if kind == "restore":
        return _restored(connection, new)
    if kind not in ("rollback", "adopt"):
        raise RefusedError(f"a {kind} is not made by switching")
    if (why := eligibility.bar(connection, new.target, new.model_id)) is not None:
        raise RefusedError(f"{new.model_id} may not be live for {new.target}: {why}")
    if kind == "adopt":
        return None
    require_pointers_intact(connection, new.target)
    earlier = pointers.find(connection, new.target, new.model_id)
    if earlier is None:
        raise RefusedError(f"{new.model_id} was never live for {new.target}: nothing to go back to")
    return pointers.root_of(connection, earlier)


def _restored(connection: Connection, new: NewPointer) -> int:
    current, before = pointers.newest_two(connection, new.target)
    if new.run_id is None or current is None or current["run_id"] != new.run_id:
        raise RefusedError(f"what is live for {new.target} was not put there by run {new.run_id}")
    if before is None or before["model_id"] != new.model_id:
        raise RefusedError(f"{new.model_id} is not what was live for {new.target} before that run")
    restored: int = before["restores"] or before["generation"]
    return restored
