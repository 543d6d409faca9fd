"""What a run keeps on disk besides its journals: records as small JSON documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from evals.files import replace_file
from evals.files.versions import read_stored
from evals.records import encode

__all__ = ["read_record", "write_record"]

R = TypeVar("R")


def write_record(path: Path, record: Any) -> None:
    """Write a record as canonical JSON, atomically."""
    replace_file(path, encode(record) + b"\n")


def read_record(path: Path, kind: type[R]) -> R | None:
    """Read a record back, None when the file is not there."""
    return read_stored(path, kind) if path.exists() else None
