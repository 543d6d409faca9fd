"""The inbox: triggers that arrived are on disk before they are acknowledged, and stay until they are done with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update

from evals.errors import RegistryError
from evals.records import decode
from flows.registry.database.engine import Writer
from flows.registry.database.schema import inbox
from flows.registry.records import InboxMessage, as_text

__all__ = ["done", "has_message", "note_failed_attempt", "pending", "put"]

_ACTOR = "inbox"


def put(writer: Writer, message_id: str, payload: dict[str, Any]) -> bool:
    """Keep a message; False when one with this id came before (a sender that tries again)."""
    if has_message(writer.connection, message_id):
        return False
    event = writer.append("inbox_received", actor=_ACTOR, data={"message_id": message_id})
    writer.connection.execute(
        insert(inbox).values(
            message_id=message_id,
            payload=as_text(payload),
            received_at=writer.at,
            attempts=0,
            state="pending",
            outcome="",
            seq=event.seq,
        )
    )
    return True


def has_message(connection: Connection, message_id: str) -> bool:
    """Say whether a message with this id ever came."""
    known = select(inbox.c.message_id).where(inbox.c.message_id == message_id)
    return connection.execute(known).first() is not None


def pending(connection: Connection, limit: int = 100) -> tuple[InboxMessage, ...]:
    """Return the messages nobody is done with, oldest first."""
    query = select(inbox).where(inbox.c.state == "pending").order_by(inbox.c.seq).limit(limit)
    return tuple(
        InboxMessage(
            message_id=row["message_id"],
            payload=decode(row["payload"], dict),
            received_at=row["received_at"],
            attempts=row["attempts"],
            outcome=row["outcome"],
        )
        for row in connection.execute(query).mappings()
    )


def note_failed_attempt(writer: Writer, message_id: str, error: str) -> int:
    """Count a try that failed, and return how many there were. Raises RegistryError on an unknown message."""
    attempts = _attempts(writer.connection, message_id) + 1
    writer.append(
        "inbox_missed",
        actor=_ACTOR,
        reason=error,
        data={"message_id": message_id, "attempts": attempts},
    )
    _change(writer, message_id, attempts=attempts, outcome=error)
    return attempts


def done(writer: Writer, message_id: str, outcome: str) -> None:
    """Be done with a message; doing it twice changes nothing. Raises RegistryError on an unknown message."""
    _attempts(writer.connection, message_id)
    state = select(inbox.c.state).where(inbox.c.message_id == message_id)
    if writer.connection.execute(state).scalar() == "done":
        return
    writer.append("inbox_done", actor=_ACTOR, reason=outcome, data={"message_id": message_id})
    _change(writer, message_id, state="done", outcome=outcome)


def _attempts(connection: Connection, message_id: str) -> int:
    query = select(inbox.c.attempts).where(inbox.c.message_id == message_id)
    attempts = connection.execute(query).scalar()
    if attempts is None:
        raise RegistryError(f"there is no message {message_id!r} in the inbox")
    return int(attempts)


def _change(writer: Writer, message_id: str, **values: Any) -> None:
    writer.connection.execute(
        update(inbox).where(inbox.c.message_id == message_id).values(**values)
    )
