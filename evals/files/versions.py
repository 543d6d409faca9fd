"""Which Gatewright wrote a file: records are read back, or refused in one sentence that names the versions.

The folder of a run says by which version and in which format it was written (`format.json`). Version 0.1.0, and what was
not released, left no such file. A change that an older version can't read, or that makes what an older one wrote unreadable, gets the next number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from evals.codec import decode
from evals.errors import InfrastructureError
from evals.files.durable import replace_file
from evals.records import Record, encode
from evals.version import VERSION

__all__ = [
    "FORMAT",
    "FORMAT_FILE",
    "OtherVersionError",
    "mark_format",
    "read_stored",
    "require_format",
    "unreadable",
]

FORMAT = 2
"""The format in which run folders are written; 1 is that of 0.1.0."""
FORMAT_FILE = "format.json"
_UNMARKED = "Gatewright 0.1.0 or an unreleased version"

R = TypeVar("R")


class OtherVersionError(InfrastructureError):
    """A file was written by a version of Gatewright that this one does not read."""


class _Mark(Record, frozen=True, kw_only=True):
    format: int
    written_by: str


def mark_format(folder: Path) -> None:
    """Write down in which format a run's folder is, when it is begun."""
    if not (folder / FORMAT_FILE).exists():
        replace_file(folder / FORMAT_FILE, encode(_Mark(format=FORMAT, written_by=VERSION)) + b"\n")


def require_format(folder: Path) -> None:
    """Raise OtherVersionError when a run's folder is of a format that is newer than this version."""
    mark = _mark_of(folder)
    if mark is not None and mark.format > FORMAT:
        raise OtherVersionError(
            f"{folder} was written by {_named(mark)}, and this is Gatewright {VERSION}, which reads formats up to"
            f" {FORMAT}: upgrade it"
        )


def read_stored(path: Path, kind: type[R] | Any) -> Any:
    """Read a record from a file that Gatewright wrote.

    Raises OtherVersionError when it is of another version, InfrastructureError when it is damaged, OSError.
    """
    try:
        return decode(path.read_bytes(), kind)
    except msgspec.ValidationError as error:
        raise unreadable(path, error) from error
    except msgspec.DecodeError as error:
        raise _damaged(path, error) from error


def unreadable(path: Path, error: msgspec.ValidationError) -> InfrastructureError:
    """Return the error of a file whose records are not those of this version: it is another version's, or damaged."""
    mark = next((found for one in path.parents if (found := _mark_of(one)) is not None), None)
    if mark is not None and mark.format == FORMAT:
        return _damaged(path, error)
    return OtherVersionError(
        f"{path} was written by {_named(mark)}, and this is Gatewright {VERSION} (format {FORMAT}), which can't read it"
        f" ({error}): read it with the version that wrote it, or start a new run"
    )


def _damaged(path: Path, error: msgspec.DecodeError) -> InfrastructureError:
    return InfrastructureError(f"{path} is damaged ({error}): bring it back from a backup")


def _mark_of(folder: Path) -> _Mark | None:
    try:
        return decode((folder / FORMAT_FILE).read_bytes(), _Mark)
    except (OSError, msgspec.DecodeError):
        return None


def _named(mark: _Mark | None) -> str:
    if mark is None:
        return f"{_UNMARKED} (format 1; it left no {FORMAT_FILE})"
    return f"Gatewright {mark.written_by} (format {mark.format})"
