"""The engine behind the registry: SQLite in WAL mode or PostgreSQL, and the two kinds of transaction.

A read sees one consistent state. A write takes the only write lock first (BEGIN IMMEDIATE on SQLite, the locked head
row on PostgreSQL), so that what it reads can't change before it commits.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from evals import __version__
from evals.errors import ConfigurationError, Problem, RegistryError, install_command
from evals.files.full_disk import DiskFullError, full_disk, room_for
from evals.files.sqlite_to_look import connect_to_look, is_read_only
from flows.registry.audit import chain
from flows.registry.database.migrations import migrate, require_newest
from flows.registry.records import Event, as_text

__all__ = ["Clock", "Database", "Writer", "utc_now"]

Clock = Callable[[], datetime]
_BUSY_SECONDS = 30
_WRITE = "gatewright_write"
_MOST_DISPOSED = 16
_DISPOSED: dict[tuple[URL, bool], Engine] = {}
"""Engines without a connection that nobody uses. Each step of a run opens the registry, and without them each compiles its statements anew."""
_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Writer:
    """An open write transaction; `at` is its time. Whatever changes state appends its event through here."""

    connection: Connection
    at: str
    events: list[Event] = field(default_factory=list)

    def append(
        self,
        kind: str,
        *,
        actor: str,
        reason: str = "",
        target: str | None = None,
        run_id: str | None = None,
        model_id: str | None = None,
        from_model: str | None = None,
        generation: int | None = None,
        evidence_digest: str | None = None,
        data: Any = None,
    ) -> Event:
        """Append the event of what this transaction does."""
        event = chain.append(
            self.connection,
            at=self.at,
            kind=kind,
            actor=actor,
            target=target,
            run_id=run_id,
            model_id=model_id,
            from_model=from_model,
            generation=generation,
            reason=reason,
            evidence_digest=evidence_digest,
            data=as_text({} if data is None else data),
        )
        self.events.append(event)
        return event


class Database:
    """Opens transactions and turns every error of the database into a RegistryError."""

    def __init__(self, engine: Engine, now: Clock = utc_now, *, read_only: bool = False) -> None:
        self._engine = engine
        self._now = now
        self.read_only = read_only

    @classmethod
    def open(cls, url: str, now: Clock = utc_now) -> Database:
        """Connect and migrate. Raises ConfigurationError for an unusable URL, RegistryError when it can't be opened.

        A file that can't be written here is opened to be looked at: writing raises RegistryError.
        """
        parsed = _parsed(url)
        read_only = parsed.get_backend_name() == "sqlite" and is_read_only(_file(parsed))
        database = cls(_engine(parsed, read_only), now, read_only=read_only)
        try:
            with database._transaction(write=not read_only) as connection:
                if read_only:
                    require_newest(connection)
                else:
                    migrate(connection, database.now())
        except BaseException:
            database.close()
            raise
        return database

    @property
    def backend(self) -> str:
        """'sqlite' or 'postgresql'."""
        return self._engine.dialect.name

    def now(self) -> str:
        """Return the time, UTC, ISO 8601 with microseconds."""
        return self._now().astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()
        _DISPOSED[self._engine.url, self.read_only] = self._engine
        for oldest in list(_DISPOSED)[:-_MOST_DISPOSED]:
            _DISPOSED.pop(oldest, None)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction that sees one state of the registry."""
        with self._transaction(write=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Writer]:
        """Open a write transaction; it commits at the end of the block and is undone by any exception."""
        with self._transaction(write=True) as connection:
            chain.lock(connection)
            writer = Writer(connection, chain.next_moment(connection, self.now()))
            yield writer
        for one in writer.events:  # committed: what was undone is no news
            about = one.run_id or one.target or one.model_id
            _log.info("%s %s by %s %s %s", one.kind, about, one.actor, one.reason, one.data)

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        if write and self.read_only:
            raise RegistryError(
                f"{self._engine.url.database} can only be read here: nothing was changed. Do this as the user who owns"
                " it, on a disk that can be written"
            )
        try:
            with self._engine.connect() as plain:
                options: dict[str, Any] = {_WRITE: write}
                if not write and self.backend == "postgresql":
                    options["isolation_level"] = "REPEATABLE READ"
                connection = plain.execution_options(**options)
                with connection.begin():
                    yield connection
        except msgspec.ValidationError as error:
            shown = self._engine.url.render_as_string(hide_password=True)
            raise RegistryError(
                f"the registry {shown} holds a record that Gatewright {__version__} can't read ({error}): another version wrote it,"
                " or it was edited. Use the version that wrote it, or restore a backup"
            ) from error
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            if full := self._full(cause):
                raise RegistryError(str(full)) from error
            shown = self._engine.url.render_as_string(hide_password=True)
            reason = " ".join(str(cause).split())  # drivers lay their errors out over lines
            raise RegistryError(f"the registry {shown} failed: {reason}") from error

    def _full(self, cause: BaseException) -> DiskFullError | None:
        """The sentence for an error of SQLite's that means a full disk; a server's disk can't be seen from here, so its own words stand."""
        if self.backend != "sqlite":
            return None
        return full_disk(cause, Path(str(self._engine.url.database)).expanduser())


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise ConfigurationError(_url_problem("found something that is no URL")) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigurationError(_url_problem(f"found {parsed.drivername!r}"))
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigurationError(_url_problem("found SQLite in memory, which forgets what is live"))
    return parsed


def _url_problem(found: str) -> Problem:
    return Problem(
        where="GATEWRIGHT_REGISTRY_URL",
        message=f"expected sqlite:///FILE or postgresql://USER@HOST/DATABASE; {found}",
    )


def _file(url: URL) -> Path:
    return Path(str(url.database))


def _engine(url: URL, read_only: bool) -> Engine:
    """An engine for one `Database`, the one of an earlier if there is one: it knows the statements that were compiled."""
    if url.get_backend_name() == "sqlite" and not read_only:
        with room_for(_file(url)):
            _make_folder(_file(url).parent)
    return _DISPOSED.pop((url, read_only), None) or _new_engine(url, read_only)


def _new_engine(url: URL, read_only: bool) -> Engine:
    if read_only:
        look = partial(connect_to_look, _file(url), _BUSY_SECONDS)
        engine = create_engine(url, creator=look, poolclass=NullPool)
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(url, pool_pre_ping=True)
    except (ImportError, NoSuchModuleError):
        message = f"the driver of {url.drivername} is not installed"
        fix = install_command("postgresql")
        problem = Problem(where="GATEWRIGHT_REGISTRY_URL", message=message, fix=fix)
        raise ConfigurationError(problem) from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder of the registry, {folder}, is not there and can't be made: {error.strerror}"
        raise ConfigurationError(
            Problem(where="GATEWRIGHT_REGISTRY_URL", message=message)
        ) from error


def _leave_transactions_to_us(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions behind our back


def _prepare_sqlite(connection: Any, _: Any) -> None:
    _leave_transactions_to_us(connection, _)
    connection.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA synchronous=FULL")  # what was committed survives a power cut
    _use_wal(connection)


def _use_wal(connection: Any) -> None:
    """Switch to WAL; SQLite does not wait for the lock this needs, so that two openers at once must try again."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except connection.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
