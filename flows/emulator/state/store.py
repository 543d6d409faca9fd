"""Documents in SQLite, read whole at the start and written through at every change.

Every write is one committed transaction before the answer leaves, so that a killed emulator starts again where it was.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from evals.codec import decode
from flows.emulator.state.documents import Document

__all__ = ["Store"]

D = TypeVar("D", bound=Document)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    position INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
    UNIQUE (kind, id)
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value REAL NOT NULL);
"""


class Store:
    """Documents by kind and id, in the order in which they were first put. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = threading.RLock()
        self._kinds: dict[str, dict[str, Document]] = {}
        self._raw: dict[str, list[tuple[str, bytes]]] = {}
        self._db = sqlite3.connect(folder / "emulator.db", check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        rows = self._db.execute("SELECT kind, id, body FROM documents ORDER BY position")
        for kind, key, body in rows:
            self._raw.setdefault(kind, []).append((key, body))

    def get(self, kind: type[D], key: str) -> D | None:
        """Return the document, None when there is none."""
        return self._documents(kind).get(key)

    def all(self, kind: type[D]) -> list[D]:
        """Return every document of a kind, oldest first."""
        return list(self._documents(kind).values())

    def put(self, document: Document) -> None:
        """Write a new or changed document and commit."""
        kind, body = type(document).__name__, msgspec.json.encode(document)
        with self._lock:
            self._documents(type(document))[document.id] = document
            self._db.execute(
                "INSERT INTO documents (kind, id, body) VALUES (?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, document.id, body),
            )
            self._db.commit()

    def delete(self, kind: type[D], key: str) -> None:
        """Forget a document; nothing happens when it is not there."""
        with self._lock:
            self._documents(kind).pop(key, None)
            self._db.execute(
                "DELETE FROM documents WHERE kind = ? AND id = ?", (kind.__name__, key)
            )
            self._db.commit()

    def fact(self, name: str, default: float = 0.0) -> float:
        """Return a stored number (the clock's offset, a counter)."""
        with self._lock:
            row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return float(row[0]) if row else default

    def set_fact(self, name: str, value: float) -> None:
        """Store a number."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))
            self._db.commit()

    def close(self) -> None:
        """Close the database; the store cannot be used afterwards."""
        with self._lock:
            self._db.close()

    def _documents(self, kind: type[D]) -> dict[str, D]:
        with self._lock:
            known = self._kinds.get(kind.__name__)
            if known is None:
                known = dict(self._decode(kind))
                self._kinds[kind.__name__] = known
        return known  # type: ignore[return-value]  # filled with this very kind

    def _decode(self, kind: type[D]) -> Iterator[tuple[str, Document]]:
        for key, body in self._raw.pop(kind.__name__, ()):
            yield key, decode(body, kind)
