"""Rows of bytes that are written once and read many times: on disk as soon as they are many."""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from collections.abc import Iterator
from pathlib import Path

from evals.errors import InfrastructureError
from evals.files.full_disk import full_disk

__all__ = ["RowFile"]

_IN_MEMORY = 4 << 20
_READ_AT_ONCE = 1 << 18


class RowFile:
    """Rows by number. The last few MiB are in memory, all before them in a temporary file that nobody else can open.

    The file has no name, so that it is gone when the process is, however it ends. Reading is safe in several threads
    at once; eight bytes a row stay in memory.
    """

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._starts = array("Q", [0])
        self._tail = bytearray()
        self._written = 0
        self._descriptor = -1

    def append(self, row: bytes) -> int:
        """Add a row and return its number. Raises InfrastructureError when there is no room for the temporary file."""
        self._tail += row
        self._starts.append(self._starts[-1] + len(row))
        if len(self._tail) > self._in_memory:
            self._write()
        return len(self) - 1

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> bytes:
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._read(self._starts[number], self._starts[number + 1])

    def __iter__(self) -> Iterator[bytes]:
        first, starts = 0, self._starts
        while first < len(self):
            last = first + 1
            while last < len(self) and starts[last + 1] - starts[first] <= _READ_AT_ONCE:
                last += 1
            part = self._read(starts[first], starts[last])
            for number in range(first, last):
                yield part[starts[number] - starts[first] : starts[number + 1] - starts[first]]
            first = last

    def _read(self, start: int, end: int) -> bytes:
        found = b""
        if start < self._written:
            found = os.pread(self._descriptor, min(end, self._written) - start, start)
        if end > self._written:
            found += self._tail[max(0, start - self._written) : end - self._written]
        return found

    def _write(self) -> None:
        try:
            if self._descriptor < 0:
                self._open()
            view = memoryview(self._tail)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            place = Path(tempfile.gettempdir())
            found = full_disk(error, place, len(self._tail))
            why = str(found or error)
            raise InfrastructureError(
                f"no temporary file for the cases can be written, and TMPDIR names no other folder for it: {why}"
            ) from error
        self._written = self._starts[-1]
        self._tail = bytearray()

    def _open(self) -> None:
        self._descriptor, name = tempfile.mkstemp(prefix="gatewright-")
        Path(name).unlink()
        weakref.finalize(self, os.close, self._descriptor)
