"""A disk without room, in one sentence wherever it is met: which path, on which mount, how much is free and needed.

Whatever is written, a run's journal or a report, SQLite's databases or a temporary file, comes here with its error.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from evals.errors import InfrastructureError

__all__ = [
    "DiskFullError",
    "cause_in_full_disk",
    "free_bytes",
    "full_disk",
    "lacking_room",
    "require_room",
    "room_for",
]

_FULL = "the disk at {mount} is full", "Free space"
_CAUSES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: (
        "this user has no quota left on the disk at {mount}",
        "Delete files or raise the quota",
    ),
    errno.EFBIG: ("the file is larger than `ulimit -f` allows", "Raise that limit"),
}
"""What each error means, and what helps against it."""
_PAGE = 4096
"""What SQLite writes at least, in bytes."""
_LEAST = 1 << 20
"""With less than this free, in bytes, SQLite can't even open a database."""
_THEN = "and run the command again; it resumes"


class DiskFullError(InfrastructureError, OSError):
    """Nothing more can be written; the message says where, how much is free and needed, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.strerror = message


def full_disk(error: BaseException | None, path: Path, needed: int = 0) -> DiskFullError | None:
    """Return the error that says so when a write to `path` failed for want of room, None when it failed for another reason.

    `error` is an OSError, or one of SQLite's, whose words are all that is known of the cause. `needed` is how many bytes
    were to be written.
    """
    if isinstance(error, DiskFullError):
        return error
    if isinstance(error, OSError):
        cause = _CAUSES.get(error.errno or 0)
        return None if cause is None else DiskFullError(_sentence(path, *cause, needed))
    if least := _sqlite_lacks(str(error), path):
        # More than is free was needed: SQLite does not say how much.
        return DiskFullError(
            _sentence(path, *_FULL, needed or least, " more" if free_bytes(path) else "")
        )
    return None


@contextmanager
def room_for(path: Path, needed: int = 0) -> Iterator[None]:
    """Write `needed` bytes to `path` in a block. Raises DiskFullError where there is no room; other errors pass."""
    try:
        yield
    except OSError as error:
        found = full_disk(error, path, needed)
        if found is None or found is error:
            raise
        raise found from error


def require_room(path: Path, needed: int, what: str) -> None:
    """Raise DiskFullError when fewer than `needed` bytes are free where `path` is to be; `what` needs them."""
    if lacking := lacking_room(path, needed):
        raise DiskFullError(f"{what}, and {lacking}")


def lacking_room(path: Path, needed: int) -> str:
    """Return the sentence that fewer than `needed` bytes are free where `path` is to be, "" when there are as many."""
    if free_bytes(path) >= needed:
        return ""
    return f"the disk at {_mount(path)} has too little room for {path} ({_sizes(path, needed)}). Free space {_THEN}"


def cause_in_full_disk(error: BaseException, places: Iterable[Path]) -> DiskFullError | None:
    """Return what explains an error nobody expected: no room, by what it says itself, or at one of the places we write to."""
    places = (*places, Path(tempfile.gettempdir()), Path.cwd())
    fullest = min(places, key=free_bytes)
    link: BaseException | None = error
    while link is not None:
        named = getattr(link, "filename", None)
        found = full_disk(link, Path(named) if isinstance(named, str) else fullest)
        if found is not None:
            # Where the error names no file, and none of these places is full, it is another one that is.
            known = isinstance(named, str) or free_bytes(fullest) < _LEAST
            return found if known else DiskFullError(f"a disk is full ({link}). Free space {_THEN}")
        link = link.__cause__ or link.__context__
    lacking = lacking_room(fullest, _LEAST)
    return DiskFullError(lacking) if lacking else None


def free_bytes(path: Path) -> int:
    """Return how many bytes may still be written where `path` is, or is to be."""
    found = os.statvfs(_standing(path))
    return found.f_bavail * found.f_frsize


def _sentence(path: Path, cause: str, fix: str, needed: int, more: str = "") -> str:
    because = cause.format(mount=_mount(path))
    return f"{path} can't be written: {because} ({_sizes(path, needed, more)}). {fix} {_THEN}"


def _sizes(path: Path, needed: int, more: str = "") -> str:
    wanted = f", {_size(needed)}{more} needed" if needed else ""
    return f"{_size(free_bytes(path))} free{wanted}"


def _sqlite_lacks(said: str, path: Path) -> int:
    """How many bytes SQLite needs at least, by its words; 0 when it failed for another reason."""
    if "database or disk is full" in said:
        return _PAGE
    vague = "disk I/O error" in said or "unable to open database file" in said
    return _LEAST if vague and free_bytes(path) < _LEAST else 0


def _standing(path: Path) -> Path:
    return next((one for one in (path, *path.absolute().parents) if one.exists()), Path("/"))


def _mount(path: Path) -> Path:
    standing = _standing(path).resolve()
    return next(one for one in (standing, *standing.parents) if os.path.ismount(one))


def _size(count: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count = -(-count // 1024)
    return f"{count:,.0f} GiB"
