"""What the inbox page shows: what is not dealt with yet and why, and what was made of the newest ones."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from evals.records import decode
from flows.registry.database.schema import inbox
from flows.registry.store import Registry
from flows.service.dispatcher.dispatch import Dispatcher
from flows.service.dispatcher.messages import described
from flows.service.dispatcher.timing import STUCK_AFTER
from flows.service.pages.labels import Moment, moment

__all__ = ["InboxRow", "InboxView", "inbox_view", "waiting_count"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """One message. `due_s` is when it is tried again, in seconds from now."""

    message_id: str
    what: str
    received: Moment
    attempts: int
    outcome: str
    stuck: bool
    due_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxView:
    """The inbox page."""

    pending: tuple[InboxRow, ...]
    done: tuple[InboxRow, ...]


def inbox_view(registry: Registry, dispatcher: Dispatcher) -> InboxView:
    """Read the inbox page."""
    pending = registry.inbox_pending(limit=200)
    with registry.database.read() as connection:
        query = select(inbox).where(inbox.c.state == "done").order_by(inbox.c.seq.desc()).limit(30)
        done = [dict(row) for row in connection.execute(query).mappings()]
    now = registry.now()
    return InboxView(
        pending=tuple(
            InboxRow(
                message_id=one.message_id,
                what=described(one.payload),
                received=moment(one.received_at, now),
                attempts=one.attempts,
                outcome=one.outcome,
                stuck=one.attempts >= STUCK_AFTER,
                due_s=round(dispatcher.due_in(one.message_id)),
            )
            for one in pending
        ),
        done=tuple(
            InboxRow(
                message_id=row["message_id"],
                what=described(decode(row["payload"], dict)),
                received=moment(row["received_at"], now),
                attempts=row["attempts"],
                outcome=row["outcome"],
                stuck=False,
                due_s=0,
            )
            for row in done
        ),
    )


def waiting_count(registry: Registry) -> int:
    """Return how many messages are not dealt with."""
    return len(registry.inbox_pending(limit=1000))
