"""The account of a run: what every call of `sample` took, those of killed processes included.

`account.jsonl` lies beside the journal. A line is the `SamplingSummary` of a call so far, with only those changes of the
limits that came since the line before; the last line of a call stands. A line is written whenever a role has made as many
requests as it may have in flight, twice a second otherwise, and when the call ends. Lines outlive their process at once and
a loss of power only when their call has ended: syncing each would cost more than it tells.

Of a killed call it is not known how many requests were sent after its last line: at most `uncounted` of them. What became of
those in flight is not known either; `unfinished` counts them as of that line.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from evals.codec import decoder
from evals.errors import InfrastructureError
from evals.files import drop_torn_line, room_for, write_all
from evals.files.full_disk import full_disk
from evals.records import Role
from evals.sampling.journal import segments
from evals.sampling.pacing.concurrency import thin
from evals.sampling.run import Run
from evals.sampling.summary import RoleSummary, SamplingSummary
from evals.sampling.work_queue import WorkQueue

__all__ = ["ACCOUNT_FILE", "UsageLog", "read_usage"]

ACCOUNT_FILE = "account.jsonl"
_EVERY_S = 0.5


class UsageLog:
    """Writes the lines of one call of `sample`, the `look`th round's; the open journal keeps other writers away."""

    def __init__(
        self, run: Run, queue: WorkQueue, *, call: int, look: int, lost_round: bool = False
    ) -> None:
        self._run = run
        self._feed = queue
        self._call, self._look, self._began = call, look, run.now()
        self._lost_round = lost_round
        self._written_changes: dict[Role, int] = dict.fromkeys(run.states, 0)
        self._last: dict[Role, RoleSummary] = {}
        self._broken = False
        path = run.journal.folder / ACCOUNT_FILE
        if path.exists():
            drop_torn_line(path)
        with room_for(path):
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.write_if_changed()

    def write_if_changed(self) -> None:
        """Write a line, unless nothing has changed; a full disk ends the run."""
        for state in self._run.states.values():
            state.account_due_at = state.requests + state.settings.concurrency
        self._write_changes(self._summary(ended=False))

    async def write_regularly(self) -> None:
        """Write a line now and then until cancelled, for the times when few requests are made."""
        while True:
            await asyncio.sleep(_EVERY_S)
            self.write_if_changed()

    def close(self) -> SamplingSummary:
        """Write the last line of the call, make the account durable, and return what the call came to."""
        whole = self._summary(ended=True)
        self._write_changes(whole)
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            self._fail(error)
        finally:
            os.close(self._descriptor)
        return whole

    def _summary(self, *, ended: bool) -> SamplingSummary:
        """Return the counts of the call so far."""
        at_most = sum(state.settings.concurrency for state in self._run.states.values())
        return msgspec.structs.replace(
            self._run.summary(self._feed.resumed),
            call=self._call,
            look=self._look,
            lost_round=self._lost_round,
            began=self._began,
            ended=ended,
            uncounted=0 if ended else at_most,
        )

    def _write_changes(self, now: SamplingSummary) -> None:
        roles = {role: self._new_limit_changes(role, found) for role, found in now.roles.items()}
        if roles == self._last and not now.ended:
            return
        self._last = {
            role: msgspec.structs.replace(found, limits=()) for role, found in roles.items()
        }
        self._write(msgspec.json.encode(msgspec.structs.replace(now, roles=roles)) + b"\n")

    def _new_limit_changes(self, role: Role, found: RoleSummary) -> RoleSummary:
        limit = self._run.states[role].limit
        changes = limit.since(self._written_changes[role])
        self._written_changes[role] = limit.changes
        return msgspec.structs.replace(found, limits=tuple(changes))

    def _write(self, line: bytes) -> None:
        if self._broken:  # after a torn line the next one would be glued to it
            return
        try:
            write_all(self._descriptor, line)
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self._broken = True
        path = self._run.journal.folder / ACCOUNT_FILE
        unexpected = InfrastructureError(f"the account {path} can't be written ({error.strerror})")
        self._run.fail(full_disk(error, path) or unexpected)


def read_usage(folder: Path) -> tuple[SamplingSummary, ...]:
    """Return what every call of `sample` on the journal in `folder` came to, in their order; none without an account."""
    calls: dict[int, SamplingSummary] = {}
    for line in _lines(folder / ACCOUNT_FILE):
        before = calls.get(line.call)
        calls[line.call] = line if before is None else _joined(before, line)
    return tuple(calls.values())


def _lines(path: Path) -> Iterator[SamplingSummary]:
    reader = decoder(SamplingSummary)
    if not path.exists():
        return
    for line in segments.lines(path):
        try:
            yield reader.decode(line)
        except msgspec.DecodeError as error:
            raise InfrastructureError(
                f"the account {path} is damaged ({error}): move it away; only the counts of requests and retries are lost"
            ) from error


def _joined(before: SamplingSummary, after: SamplingSummary) -> SamplingSummary:
    roles = {}
    for role, found in after.roles.items():
        history = [*before.roles[role].limits, *found.limits]
        thin(history)
        roles[role] = msgspec.structs.replace(found, limits=tuple(history))
    return msgspec.structs.replace(after, roles=roles)
