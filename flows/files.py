"""What a run keeps on disk besides its journals: small JSON documents, each written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

from evals.records import decode, encode

__all__ = ["read_record", "write_bytes", "write_record"]

R = TypeVar("R")


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file's content atomically and durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_record(path: Path, record: Any) -> None:
    """Write a record as canonical JSON, atomically."""
    write_bytes(path, encode(record) + b"\n")


def read_record(path: Path, kind: type[R]) -> R | None:
    """Read a record back, None when the file is not there."""
    return decode(path.read_bytes(), kind) if path.exists() else None
