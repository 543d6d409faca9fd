"""Writing files that outlive a crash: replaced whole or not at all, or longer by whole lines. For journals of many
answers a second see `evals.sampling.journal`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from evals.files.full_disk import room_for

__all__ = ["append_lines", "replace_file", "sync_folder", "write_all"]


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


def append_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Append lines (given without their ends) in one write, durably.

    They begin on a line of their own even after a write that a kill, or a full disk, has torn: readers pass over what
    can't be decoded. Raises OSError, a DiskFullError where there is no room.
    """
    data = b"".join(line + b"\n" for line in lines)
    with room_for(path, len(data)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab", buffering=0) as file:
            apart = b"\n" if file.tell() and not _ends_with_line(path) else b""
            write_all(file.fileno(), apart + data)
            os.fsync(file.fileno())


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, in as many pieces as the system takes: a disk that fills up takes a part, and says nothing."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _ends_with_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a file that was renamed or removed is so only then."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
