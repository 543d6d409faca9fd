"""How far a run is: the snapshot a few times a second, and who may receive it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from evals.records import Record, Role

__all__ = ["ManySinks", "ProgressSink", "ResumedProgress", "RoleProgress", "Snapshot"]


class RoleProgress(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One role. `done` includes what was resumed or reused; `planned`, the most there may be, is None when that is unknown.

    `rate_per_s` covers the last ten seconds; `waiting` requests wait for their retry, the first for `next_try_s` more
    seconds, and `held_up_by` is what the service last answered to one; `limit` is the present concurrency limit.
    """

    model_id: str
    done: int
    planned: int | None = None
    resumed: int = 0
    reused: int = 0
    outcomes: dict[str, int] = msgspec.field(default_factory=dict)
    rate_per_s: float = 0.0
    eta_s: float | None = None
    in_flight: int = 0
    waiting: int = 0
    held_up_by: str = ""
    next_try_s: float | None = None
    limit: int = 0
    tokens: int = 0
    spent_usd: float | None = None


class Snapshot(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The run at one moment; spend and tokens count the whole run, earlier rounds included. `note` says what is done now
    that is out of the ordinary.
    """

    elapsed_s: float
    roles: dict[Role, RoleProgress]
    spent_usd: float = 0.0
    spent_tokens: int = 0
    ceiling_usd: float | None = None
    ceiling_tokens: int | None = None
    stopping: str = ""
    note: str = ""
    finished: bool = False


class ProgressSink(Protocol):
    """Receives snapshots on the event loop: a few a second and a last one with `finished`. Must not block."""

    def update(self, snapshot: Snapshot) -> None: ...


class ManySinks:
    """Passes every snapshot on to several sinks."""

    def __init__(self, sinks: Sequence[ProgressSink]) -> None:
        self._sinks = tuple(sinks)

    def update(self, snapshot: Snapshot) -> None:
        for sink in self._sinks:
            sink.update(snapshot)


class ResumedProgress:
    """Passes snapshots on with what was answered outside of the call they are of added, so that a run is seen as one."""

    def __init__(self, sink: ProgressSink, done: Mapping[Role, int]) -> None:
        self._sink = sink
        self._done = done

    def update(self, snapshot: Snapshot) -> None:
        roles = {role: self._whole(role, progress) for role, progress in snapshot.roles.items()}
        self._sink.update(msgspec.structs.replace(snapshot, roles=roles))

    def _whole(self, role: Role, progress: RoleProgress) -> RoleProgress:
        before = self._done.get(role, 0)
        planned = None if progress.planned is None else progress.planned + before
        return msgspec.structs.replace(progress, done=progress.done + before, planned=planned)
