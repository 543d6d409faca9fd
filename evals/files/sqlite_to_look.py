"""A file of SQLite that this user, or a read-only disk, lets nobody write: opened to be looked at.

SQLite's log lies beside the file, so that a folder that can't be written makes the file read-only as well. While
somebody else has it open, the log is read with it; otherwise there is none, and the file alone is whole.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

__all__ = ["connect_to_look", "is_read_only"]


def is_read_only(file: Path) -> bool:
    """Say whether a file of SQLite stands and can't be written here."""
    return file.exists() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK))


def connect_to_look(file: Path, patience_s: float) -> sqlite3.Connection:
    """Connect to a file that can't be written. Raises sqlite3.Error."""
    try:
        return _connect(file, "mode=ro", patience_s)
    except sqlite3.OperationalError:
        log = file.with_name(f"{file.name}-wal")
        if log.exists() and log.stat().st_size:
            raise  # what was written last is in there, and takes a writer to be read
        return _connect(file, "mode=ro&immutable=1", patience_s)


def _connect(file: Path, how: str, patience_s: float) -> sqlite3.Connection:
    address = f"file:{quote(str(file))}?{how}"
    connection = sqlite3.connect(address, patience_s, uri=True, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
