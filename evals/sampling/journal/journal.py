"""The journal of a run: every answer is on disk before it counts.

A line is an `Entry` as JSON. Lines that come close together share one synchronous write, made in a thread; an answer counts only when
its line is durable. A killed process leaves at most a torn last line, which is dropped.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from evals.errors import InfrastructureError
from evals.files import drop_torn_line, room_for
from evals.records import Response
from evals.sampling.journal import segments
from evals.sampling.journal.entries import Entry, History, peek, read_entry, settles
from evals.sampling.journal.fsync_thread import Committer, SegmentFile
from evals.sampling.journal.keys import AnsweredKeys

__all__ = ["Journal"]


class Journal:
    """Durable answers of one run, in one folder. One process at a time may write; any number may read."""

    def __init__(self, folder: Path, lock: IO[str] | None) -> None:
        self.folder = folder
        self._lock = lock
        self._files: dict[tuple[str, str], SegmentFile] = {}
        self._committer = Committer(folder)

    @classmethod
    def open(cls, folder: Path, *, read_only: bool = False) -> Self:
        """Open or create the journal in `folder`. Raises InfrastructureError when another process writes to it."""
        if read_only:
            return cls(folder, None)
        with room_for(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / "journal.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise InfrastructureError(
                f"the journal in {folder} is being written by another process: wait for it or stop it"
            ) from error
        return cls(folder, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(compress=kind is None)

    def put(self, role: str, suite: str, line: bytes) -> asyncio.Future[None]:
        """Write one encoded entry (without line end); the future resolves when it is durable.

        It fails with InfrastructureError when nothing can be written (a full disk); then nothing more should be asked.
        """
        file = self._files.get((role, suite)) or self._open_file(role, suite)
        return self._committer.put(file, line)

    def answered(self, role: str, suite: str) -> AnsweredKeys:
        """Return the (case_id, repeat) keys that are settled and must not be asked again."""
        return self.history(role, suite).keys

    def history(self, role: str, suite: str) -> History:
        """Read one role and suite through and return what is settled and spent."""
        history = History()
        for line in self._lines(role, suite):
            history.count(peek(line, self.folder))
        return history

    def entries(self, role: str, suite: str) -> Iterator[Entry]:
        """Yield one entry for each (case, repeat) in the order written: the last one, where it was asked anew."""
        superseded = self._superseded(role, suite)
        for number, line in enumerate(self._lines(role, suite)):
            if number not in superseded:
                yield read_entry(line, self.folder)

    def responses(self, role: str, suite: str) -> Iterator[Response]:
        """Yield one response for each (case, repeat)."""
        return (entry.response for entry in self.entries(role, suite))

    def names(self) -> list[tuple[str, str]]:
        """Return the (role, suite) pairs there are answers of."""
        return segments.names(self.folder)

    def close(self, *, compress: bool = True) -> None:
        """Release the journal; compress its segments unless the run is to go on. Idempotent."""
        self._committer.close()
        for file in self._files.values():
            os.close(file.descriptor)
        self._files.clear()
        if self._lock:
            if compress:
                for role, suite in self.names():
                    self._compress(segments.stem(role, suite))
            self._lock.close()
            self._lock = None

    def _compress(self, name: str) -> None:
        for path in segments.segments(self.folder, name):
            if path.suffix == ".jsonl":
                drop_torn_line(path)
                segments.compress(path)

    def _open_file(self, role: str, suite: str) -> SegmentFile:
        if self._lock is None:
            raise InfrastructureError(f"the journal in {self.folder} is not open for writing")
        file = SegmentFile(self.folder, segments.stem(role, suite))
        self._files[(role, suite)] = file
        return file

    def _lines(self, role: str, suite: str) -> Iterator[bytes]:
        for path in segments.segments(self.folder, segments.stem(role, suite)):
            yield from segments.lines(path)

    def _superseded(self, role: str, suite: str) -> set[int]:
        """Numbers of lines that tell of a failure of the infrastructure and were followed by another try."""
        unsettled: dict[tuple[str, int], int] = {}
        superseded: set[int] = set()
        for number, line in enumerate(self._lines(role, suite)):
            head = peek(line, self.folder)
            key = (head.case_id, head.repeat)
            if unsettled and key in unsettled:
                superseded.add(unsettled.pop(key))
            if not settles(head.outcome):
                unsettled[key] = number
        return superseded
