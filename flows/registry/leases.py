"""Leases: which process carries out which run, and which run holds its target. No events: they come and go.

A row appears when a process takes up a run, is renewed every few seconds, and goes when nothing is left to be done for
the run. A row that nobody renews is the trace of a process that died; one without a process, of a run that was stopped
with something left to do. All times are the database's, so that the clocks of machines need not agree.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, select, text, update

from evals.errors import LeaseLostError
from evals.records import Record
from flows.registry.database.engine import Writer
from flows.registry.database.schema import leases

__all__ = [
    "BEAT_S",
    "LIFE_S",
    "Lease",
    "beat",
    "leave",
    "of_run",
    "of_target",
    "open_leases",
    "require",
    "take",
]

BEAT_S = 5.0
"""How often a lease is renewed, in seconds."""
LIFE_S = 20.0
"""A lease that was not renewed for so many seconds is over."""

LeaseState = Literal["aside", "waits", "holds"]
"""aside: does not want the target for itself; waits: for its turn; holds: the target is its own."""


class Lease(Record, frozen=True, kw_only=True):
    """A run that is carried out by the process `holder`; "" when it was stopped and something is left to do.

    `since` is when that process took it up, or got the target by it, `beat` when it was last heard of, and `silent_s` how long ago that is,
    in seconds by the database.
    """

    run_id: str
    target: str
    holder: str
    state: LeaseState
    ticket: int
    since: float
    beat: float
    silent_s: float

    @property
    def alive(self) -> bool:
        """True while its process renews it."""
        return bool(self.holder) and self.silent_s < LIFE_S


def take(
    writer: Writer, run_id: str, target: str, holder: str, *, dead: frozenset[str], alone: bool
) -> Lease | None:
    """Take up a run, and its target when `alone`. Returns None when that is done, else whom to wait for; ask again then.

    Runs get a target in the order in which they asked. `dead` are holders that are known to be dead before their time is over.
    """
    now, mine = _now(writer.connection), of_run(writer.connection, run_id)
    if mine is not None and mine.holder != holder and _lives(mine, dead):
        return mine
    if mine is None or mine.holder != holder:
        mine = _enter(writer, mine, run_id, target, holder, "waits" if alone else "aside", now)
    if not alone or mine.state == "holds":
        return None
    others = [one for one in of_target(writer.connection, target) if one.run_id != run_id]
    ahead = [one for one in others if one.state == "holds" or one.ticket < mine.ticket]
    for one in ahead:
        if one.state != "aside" and _lives(one, dead):
            return one
    # Whoever held it and was silent for too long finds out by this; see `require`.
    _change(writer, leases.c.target == target, leases.c.state == "holds", state="waits")
    _change(writer, leases.c.run_id == run_id, state="holds", beat=now, since=now)
    return None


def beat(writer: Writer, run_id: str, holder: str, *, holds: bool) -> bool:
    """Renew a lease; False when another one has the run, or the target that this one `holds`, by now.

    One that is over and that nobody took meanwhile is renewed.
    """
    ours = [leases.c.run_id == run_id, leases.c.holder == holder]
    if holds:
        ours.append(leases.c.state == "holds")
    return _change(writer, *ours, beat=_now(writer.connection)) == 1


def leave(writer: Writer, run_id: str, holder: str, *, finished: bool) -> None:
    """Give a lease back; unless the run is `finished`, its row stays to say that something is left to do."""
    ours = (leases.c.run_id == run_id, leases.c.holder == holder)
    if finished:
        writer.connection.execute(delete(leases).where(*ours))
    else:
        _change(writer, *ours, holder="", state="aside")


def require(connection: Connection, run_id: str, holder: str) -> None:
    """Raise LeaseLostError unless this holder's run holds its target."""
    lease = of_run(connection, run_id)
    if lease is None or (lease.holder, lease.state) != (holder, "holds"):
        raise LeaseLostError(
            f"this process was silent for more than {LIFE_S:.0f} s and lost run {run_id} to another one; nothing was changed"
        )


def of_run(connection: Connection, run_id: str) -> Lease | None:
    """Return a run's lease, whether it is alive or not; None without one."""
    found = _read(connection, leases.c.run_id == run_id)
    return found[0] if found else None


def of_target(connection: Connection, target: str) -> tuple[Lease, ...]:
    """Return the leases of a target's runs, whoever holds it first, then those who wait in their order."""
    found = _read(connection, leases.c.target == target)
    return tuple(sorted(found, key=lambda one: (one.state != "holds", one.ticket)))


def open_leases(connection: Connection) -> tuple[Lease, ...]:
    """Return every lease there is."""
    return _read(connection)


def _lives(lease: Lease, dead: frozenset[str]) -> bool:
    return lease.alive and lease.holder not in dead


def _enter(
    writer: Writer,
    before: Lease | None,
    run_id: str,
    target: str,
    holder: str,
    state: LeaseState,
    now: float,
) -> Lease:
    """Write the row; whoever goes on for a dead process keeps its place among those who wait."""
    newest = writer.connection.execute(select(func.max(leases.c.ticket))).scalar() or 0
    row: dict[str, Any] = {
        "run_id": run_id,
        "target": target,
        "holder": holder,
        "state": state,
        "ticket": before.ticket if before is not None else newest + 1,
        "since": now,
    }
    writer.connection.execute(delete(leases).where(leases.c.run_id == run_id))
    writer.connection.execute(insert(leases).values(**row, beat=now))
    return Lease(**row, beat=now, silent_s=0.0)


def _read(connection: Connection, *where: Any) -> tuple[Lease, ...]:
    now = _now(connection)
    rows = connection.execute(select(leases).where(*where).order_by(leases.c.ticket)).mappings()
    return tuple(Lease(**row, silent_s=now - row["beat"]) for row in rows)


def _change(writer: Writer, *where: Any, **values: Any) -> int:
    return writer.connection.execute(update(leases).where(*where).values(**values)).rowcount


_CLOCKS = {
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "SELECT EXTRACT(EPOCH FROM clock_timestamp())::double precision",
}


def _now(connection: Connection) -> float:
    """Seconds since the epoch, by the database's clock."""
    return float(connection.execute(text(_CLOCKS[connection.dialect.name])).scalar_one())
