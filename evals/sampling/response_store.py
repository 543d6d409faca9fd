"""Answers kept across runs, so that a baseline need not be asked the same question again.

Content-addressed: the key is a digest of model id, slot kind, request and repeat (`RequestShape.key`), so an answer is only ever
found for the very same question to the very same model. One SQLite file; losing it costs money, never correctness.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from time import time
from types import TracebackType
from typing import Self

import msgspec

from evals.codec import decode
from evals.errors import RegistryError
from evals.files.full_disk import full_disk
from evals.files.sqlite_to_look import connect_to_look, is_read_only
from evals.records import MODEL_OUTCOMES, Response

__all__ = ["ResponseStore"]

_BATCH = 500


class ResponseStore:
    """The store in `folder`. Not for use by several threads at once; several processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "responses.sqlite"
        self._waiting: list[tuple[bytes, float, bytes]] = []
        try:
            self._database = self._opened()
        except sqlite3.Error as error:
            raise full_disk(error, self._path) or RegistryError(
                f"the kept answers in {self._path} can't be opened: {error}"
            ) from error

    def _opened(self) -> sqlite3.Connection:
        """A file that can't be written here is opened to be looked at."""
        if is_read_only(self._path):
            return connect_to_look(self._path, 10)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, timeout=10, check_same_thread=False)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS response (key BLOB PRIMARY KEY, at REAL NOT NULL, record BLOB NOT NULL)"
            " WITHOUT ROWID"
        )
        return database

    def get(self, key: bytes, *, max_age_s: float) -> Response | None:
        """Return the stored answer if it is not older than `max_age_s`, marked as reused; else None."""
        row = self._database.execute(
            "SELECT record FROM response WHERE key = ? AND at BETWEEN ? AND ?",
            (key, time() - max_age_s, time() + 60),
        ).fetchone()
        if row is None:
            return None
        stored = decode(row[0], Response)
        return msgspec.structs.replace(stored, reused=True, attempts=0)

    def put(self, key: bytes, response: Response) -> None:
        """Keep an answer (only the model's own outcomes are kept); it is written with the next batch."""
        if response.outcome not in MODEL_OUTCOMES or response.reused:
            return
        self._waiting.append((key, time(), msgspec.json.encode(response)))
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            with self._database:
                self._database.executemany(
                    "INSERT OR REPLACE INTO response VALUES (?, ?, ?)", waiting
                )
        except sqlite3.Error as error:
            size = sum(len(record) for _key, _at, record in waiting)
            if full := full_disk(error, self._path, size):
                raise full from error
            raise

    def older_than(self, max_age_s: float) -> int:
        """Return how many answers are older than `max_age_s`."""
        query = "SELECT count(*) FROM response WHERE at < ?"
        (count,) = self._database.execute(query, (time() - max_age_s,)).fetchone()
        return int(count)

    def prune(self, max_age_s: float) -> int:
        """Forget answers older than `max_age_s`; return how many."""
        try:
            with self._database:
                return self._database.execute(
                    "DELETE FROM response WHERE at < ?", (time() - max_age_s,)
                ).rowcount
        except sqlite3.Error as error:
            raise RegistryError(
                f"the kept answers in {self._path} can't be changed: {error}"
            ) from error

    def close(self) -> None:
        """Write what is waiting and close the file."""
        self.flush()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
