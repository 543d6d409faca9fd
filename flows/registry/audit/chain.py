"""The chain of events: each holds the hash of the one before, so that altering or removing one shows.

Method: a hash chain (Haber and Stornetta 1991) of SHA-256 over canonical JSON, with the head kept apart, so that cutting
off the tail shows too. Whoever can rewrite the whole database can forge a whole chain; keep the head hash elsewhere
(every signed statement carries one) where that matters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from evals.errors import RegistryError
from evals.records import encode
from flows.registry.database.schema import chain_head, events
from flows.registry.records import Event

__all__ = [
    "altered",
    "append",
    "breaks",
    "event_hash",
    "head",
    "holds",
    "lock",
    "next_moment",
    "read",
]

_SKEW_S = 60.0
"""By how much the clocks of two machines that write to one registry may differ without a word."""
_JITTER_S = 1.0
"""What is not named of registries that were written before the skew was evened out."""


def event_hash(fields: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of an event's fields, its own hash left out."""
    return hashlib.sha256(encode({k: v for k, v in fields.items() if k != "hash"})).hexdigest()


def holds(event: Event) -> bool:
    """Say whether an event is what its own hash covers."""
    return event_hash(msgspec.to_builtins(event)) == event.hash


def altered(event: Event) -> str:
    """Return the sentence for an event that does not hold."""
    return f"event {event.seq} ({event.kind}, {event.at}) was altered"


def lock(connection: Connection) -> None:
    """Wait for every other writer to finish; until this transaction ends nobody else writes."""
    connection.execute(select(chain_head.c.seq).with_for_update()).one()


def head(connection: Connection) -> tuple[int, str]:
    """Return the number and hash of the newest event, (0, '') in a new registry."""
    row = connection.execute(select(chain_head.c.seq, chain_head.c.hash)).one_or_none()
    if row is None:
        raise RegistryError("the registry has lost the head of its chain; restore it from a backup")
    return row.seq, row.hash


def next_moment(connection: Connection, now: str) -> str:
    """Return the time of the next event: now, or that of the newest one where this machine's clock is a little behind.

    A clock that is far behind is believed, and named by `breaks`: a wrong date in the future must not stay for ever.
    """
    newest = select(events.c.at).order_by(events.c.seq.desc()).limit(1)
    before = connection.execute(newest).scalar() or ""
    return before if 0.0 < _seconds_back(now, before) <= _SKEW_S else now


def append(connection: Connection, **fields: Any) -> Event:
    """Write the next event and move the head. The caller holds the write lock. Raises RegistryError on NUL bytes."""
    if any("\x00" in value for value in fields.values() if isinstance(value, str)):
        raise RegistryError("this can't be recorded: a text holds a NUL character")
    number, previous = head(connection)
    fields |= {"seq": number + 1, "previous_hash": previous}
    try:
        event = Event(**fields, hash=event_hash(fields))
    except ValueError as error:  # such as a lone surrogate
        raise RegistryError(f"this can't be recorded: {error}") from error
    connection.execute(insert(events).values(msgspec.to_builtins(event)))
    connection.execute(update(chain_head).values(seq=event.seq, hash=event.hash))
    return event


def read(connection: Connection) -> Iterator[Event]:
    """Yield every event, oldest first."""
    for row in connection.execute(select(events).order_by(events.c.seq)).mappings():
        yield Event(**row)


def breaks(chain: Iterable[Event], number: int, newest: str) -> Iterator[str]:
    """Yield one sentence for each place where the chain does not hold or goes back in time; `number` and `newest` are the head's."""
    expected, previous, before = 1, "", ""
    for event in chain:
        if event.seq != expected:
            yield f"{_missing(expected, event.seq - 1)} missing"
        elif event.previous_hash != previous:
            yield f"event {event.seq} does not follow the event before it: that one was altered or replaced"
        if not holds(event):
            yield altered(event)
        if _seconds_back(event.at, before) > _JITTER_S:
            yield (
                f"event {event.seq} ({event.kind}, {event.at}) is dated earlier than the event before it ({before}):"
                " a clock was set back, or it was put there later"
            )
        expected, previous, before = event.seq + 1, event.hash, event.at
    if expected - 1 < number:
        yield f"{_missing(expected, number)} missing at the end"
    elif (expected - 1, previous) != (number, newest):
        yield f"the head of the chain says event {number}, the newest event is {expected - 1}"


def _seconds_back(at: str, before: str) -> float:
    """How many seconds `at` lies before `before`; 0 where one of them is no time."""
    try:
        return (datetime.fromisoformat(before) - datetime.fromisoformat(at)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _missing(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"
