"""Whether a model may be live for a target: the newest event that speaks of it decides.

Standing is read from the chain of events and kept nowhere else, so that nobody can lift a revocation by editing a row.
"""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, Connection, case, func, select

from evals.errors import RefusedError
from evals.people import folded
from flows.platforms.model_names import folded_id
from flows.registry.database.engine import Writer
from flows.registry.database.schema import events
from flows.registry.records import Event

__all__ = ["bar", "barring", "barring_event", "by_id", "refuse_blank", "reinstate", "revoke"]

_BARRED = {"model_refused": "refused", "model_revoked": "revoked"}
_CLEARED = ("promotion", "first_release", "adopt", "model_reinstated")


def by_id(column: Column[str]) -> ColumnElement[str]:
    """The model ids of a column as `folded_id` writes them: another letter case is no other model, and lifts no bar."""
    return case((func.substr(column, 1, 3) == "ft:", column), else_=func.lower(column))


def barring_event(connection: Connection, target: str, model_id: str) -> Event | None:
    """Return the event that bars the model from the target, None when nothing does."""
    query = (
        select(events)
        .where(events.c.target == target, by_id(events.c.model_id) == folded_id(model_id))
        .where(events.c.kind.in_((*_BARRED, *_CLEARED)))
        .order_by(events.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    return Event(**row) if row is not None and row["kind"] in _BARRED else None


def barring(connection: Connection, target: str) -> tuple[Event, ...]:
    """Return, for every model that may not be live for the target, the event that bars it, newest first."""
    speaking = events.c.kind.in_((*_BARRED, *_CLEARED)) & (events.c.target == target)
    newest = select(func.max(events.c.seq)).where(speaking).group_by(by_id(events.c.model_id))
    query = select(events).where(events.c.seq.in_(newest), events.c.kind.in_(tuple(_BARRED)))
    rows = connection.execute(query.order_by(events.c.seq.desc())).mappings()
    return tuple(Event(**row) for row in rows)


def bar(connection: Connection, target: str, model_id: str) -> str | None:
    """Return why the model may not be live ("revoked by ana at …: reason"), None when it may."""
    event = barring_event(connection, target, model_id)
    if event is None:
        return None
    return f"{_BARRED[event.kind]} by {event.actor} at {event.at}: {event.reason}"


def revoke(
    writer: Writer,
    target: str,
    model_id: str,
    *,
    actor: str,
    reason: str,
    run_id: str | None,
    evidence_digest: str | None,
) -> Event:
    """Mark a model as one that may not be live, on newer evidence or on a person's word."""
    refuse_blank(actor, reason)
    return writer.append(
        "model_revoked",
        actor=actor,
        reason=reason,
        target=target,
        model_id=model_id,
        run_id=run_id,
        evidence_digest=evidence_digest,
    )


def reinstate(writer: Writer, target: str, model_id: str, *, actor: str, reason: str) -> Event:
    """Lift a refusal or revocation, on a person's word."""
    refuse_blank(actor, reason)
    return writer.append(
        "model_reinstated", actor=actor, reason=reason, target=target, model_id=model_id
    )


def refuse_blank(actor: str, reason: str) -> None:
    """Raise RefusedError unless somebody acts and says why."""
    if not folded(actor):
        raise RefusedError("nobody is named as acting; say who (GATEWRIGHT_ACTOR)")
    if not folded(reason):
        raise RefusedError("a reason is required")
