"""Writing files that outlive a crash: replaced whole or not at all, or longer by whole lines. For journals of many
answers a second see `evals.sampling.journal`.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from evals.files.full_disk import room_for

__all__ = [
    "append_lines",
    "drop_torn_line",
    "replace_file",
    "sync_folder",
    "whole_lines",
    "write_all",
]


def replace_file(path: Path, data: bytes) -> None:
    """Write a file in one step, durably: a reader sees the old content or the new. Keeps its mode.

    Raises OSError, a DiskFullError where there is no room.
    """
    with room_for(path, len(data)):
        _replace(path, data)


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append_lines(path: Path, lines: Iterable[bytes], *, durably: bool = True) -> None:
    """Append lines (given without their ends) in one write; with `durably` they are on the disk when this returns.

    What a kill, or a full disk, has torn before is cut first, so that any reader of JSON Lines can read the whole file.
    Raises OSError, a DiskFullError where there is no room.
    """
    data = b"".join(line + b"\n" for line in lines)
    with room_for(path, len(data)):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            drop_torn_line(path)
        with path.open("ab", buffering=0) as file:
            write_all(file.fileno(), data)
            if durably:
                os.fsync(file.fileno())


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, in as many pieces as the system takes: a disk that fills up takes a part, and says nothing."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def whole_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file without their ends; none where there is no file. A torn last line is not yielded."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


def drop_torn_line(path: Path) -> None:
    """Cut what a killed process left after the last line end.

    Nobody has counted that line: it counts when the whole of it is durable. Left in place, it would swallow the line
    appended next.
    """
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        keep = _last_line_end(file, end)
        if keep < end:
            file.truncate(keep)
            os.fsync(file.fileno())


def _last_line_end(file: io.BufferedRandom, end: int) -> int:
    step = 1 << 16
    while end > 0:
        start = max(0, end - step)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a file that was renamed or removed is so only then."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
