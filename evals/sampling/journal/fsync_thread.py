"""The thread that makes lines durable: one synchronous write for all that came within a few milliseconds."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import sleep

from evals.errors import InfrastructureError
from evals.files import drop_torn_line, room_for, sync_folder, write_all
from evals.files.full_disk import full_disk
from evals.sampling.journal import segments

__all__ = ["Committer", "SegmentFile"]

_GATHER_S = (
    0.002  # each turn of this thread costs the event loop some time, so a few lines should share it
)


class SegmentFile:
    """The open segment of one role and suite."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = segments.next_segment(folder, name)
        if self.path.exists():
            drop_torn_line(self.path)
        # With O_DSYNC the write itself returns when the data is on disk: one call where write and fsync would be two,
        # each of which has to win the interpreter back from a busy event loop.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_DSYNC
        with room_for(self.path):
            self.descriptor = os.open(self.path, flags, 0o600)
        sync_folder(folder)


_Line = tuple[SegmentFile, bytes, asyncio.Future[None]]


class Committer:
    """Takes lines from the event loop and resolves their futures when they are on disk; a slow disk gets larger groups."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._queue: SimpleQueue[_Line | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._broken: InfrastructureError | None = None

    def put(self, file: SegmentFile, line: bytes) -> asyncio.Future[None]:
        """Hand over a line; the future resolves when it is durable, or with an InfrastructureError."""
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._thread is None:
            self._thread = Thread(target=self._work, name="journal", daemon=True)
            self._thread.start()
        self._queue.put((file, line, durable))
        return durable

    def close(self) -> None:
        """Write what was handed over and end."""
        if self._thread:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        ending = False
        while not ending:
            batch: list[_Line] = []
            item = self._queue.get()
            # A synchronous write costs a disk about the same for one line as for a hundred, so lines wait for company. While
            # the disk is busy the queue grows, and with it the next group: throughput follows the disk without tuning.
            sleep(_GATHER_S)
            with suppress(Empty):
                while item is not None:
                    batch.append(item)
                    item = self._queue.get_nowait()
                ending = True
            if batch:
                self._write(batch)
                with suppress(RuntimeError):  # the loop may have ended without waiting
                    batch[0][2].get_loop().call_soon_threadsafe(_resolve, batch, self._broken)

    def _write(self, batch: list[_Line]) -> None:
        if self._broken:  # after a torn line the next one would be glued to it: no more writing
            return
        by_file: dict[SegmentFile, list[bytes]] = {}
        for file, line, _ in batch:
            by_file.setdefault(file, []).append(line)
        try:
            for file, lines in by_file.items():
                write_all(file.descriptor, b"\n".join(lines) + b"\n")
        except OSError as error:
            size = sum(len(line) + 1 for line in lines)
            self._broken = full_disk(error, file.path, size) or InfrastructureError(
                f"the journal in {self._folder} can't be written ({error.strerror})"
            )


def _resolve(batch: list[_Line], broken: InfrastructureError | None) -> None:
    for _, _, durable in batch:
        if durable.done():
            continue
        if broken:
            durable.set_exception(broken)
        else:
            durable.set_result(None)
