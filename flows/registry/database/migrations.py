"""Numbered migrations: append to the list, never edit one that was released.

A migration is frozen SQL that SQLite and PostgreSQL both understand, plus what only one of them needs. All that are
missing run in one transaction under a lock, so that two processes opening a new registry at once are fine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text

from evals import __version__
from evals.errors import RegistryError

__all__ = ["MIGRATIONS", "Migration", "migrate", "require_newest"]

_ADVISORY_LOCK = 0x6761_7465  # any constant does, as long as every Gatewright uses this one


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema. `statements` run everywhere, the others on their database only."""

    number: int
    name: str
    statements: tuple[str, ...]
    sqlite: tuple[str, ...] = ()
    postgresql: tuple[str, ...] = ()


_TABLES = (
    "CREATE TABLE chain_head (id INTEGER NOT NULL PRIMARY KEY, seq BIGINT NOT NULL, hash TEXT NOT NULL)",
    "INSERT INTO chain_head (id, seq, hash) VALUES (1, 0, '')",
    "CREATE TABLE events (seq BIGINT NOT NULL PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL,"
    " actor TEXT NOT NULL, target TEXT, run_id TEXT, model_id TEXT, from_model TEXT, generation BIGINT,"
    " reason TEXT NOT NULL, evidence_digest TEXT, data TEXT NOT NULL, previous_hash TEXT NOT NULL,"
    " hash TEXT NOT NULL)",
    "CREATE INDEX events_by_target ON events (target, seq)",
    "CREATE INDEX events_by_run ON events (run_id, seq)",
    "CREATE INDEX events_by_model ON events (target, model_id, seq)",
    "CREATE TABLE pointers (target TEXT NOT NULL, generation BIGINT NOT NULL, kind TEXT NOT NULL,"
    " model_id TEXT, pointer TEXT, restores BIGINT, run_id TEXT, since TEXT NOT NULL, seq BIGINT NOT NULL,"
    " PRIMARY KEY (target, generation))",
    "CREATE INDEX pointers_by_run ON pointers (run_id)",
    "CREATE TABLE holds (target TEXT NOT NULL PRIMARY KEY, actor TEXT NOT NULL, reason TEXT NOT NULL,"
    " since TEXT NOT NULL, seq BIGINT NOT NULL)",
    "CREATE TABLE runs (run_id TEXT NOT NULL PRIMARY KEY, target TEXT NOT NULL, kind TEXT NOT NULL,"
    " state TEXT NOT NULL, trigger_key TEXT, record TEXT NOT NULL, created_at TEXT NOT NULL,"
    " updated_at TEXT NOT NULL, CONSTRAINT runs_one_per_trigger UNIQUE (target, kind, trigger_key))",
    "CREATE INDEX runs_by_target ON runs (target, created_at)",
    "CREATE TABLE verdicts (run_id TEXT NOT NULL, slot TEXT NOT NULL, outcome TEXT NOT NULL,"
    " digest TEXT NOT NULL, record TEXT NOT NULL, at TEXT NOT NULL, seq BIGINT NOT NULL,"
    " PRIMARY KEY (run_id, slot))",
    "CREATE TABLE suite_results (run_id TEXT NOT NULL, slot TEXT NOT NULL, role TEXT NOT NULL,"
    " suite TEXT NOT NULL, digest TEXT NOT NULL, record TEXT NOT NULL, seq BIGINT NOT NULL,"
    " PRIMARY KEY (run_id, slot, role, suite))",
    "CREATE TABLE answers (seq BIGINT NOT NULL PRIMARY KEY, run_id TEXT NOT NULL, slot TEXT NOT NULL,"
    " decision TEXT NOT NULL, actor TEXT NOT NULL, record TEXT NOT NULL)",
    "CREATE INDEX answers_by_run ON answers (run_id, seq)",
    "CREATE TABLE steps (seq BIGINT NOT NULL PRIMARY KEY, run_id TEXT NOT NULL, step TEXT NOT NULL,"
    " phase TEXT NOT NULL, detail TEXT NOT NULL, at TEXT NOT NULL)",
    "CREATE INDEX steps_by_run ON steps (run_id, seq)",
    "CREATE TABLE inbox (message_id TEXT NOT NULL PRIMARY KEY, payload TEXT NOT NULL,"
    " received_at TEXT NOT NULL, attempts INTEGER NOT NULL, state TEXT NOT NULL, outcome TEXT NOT NULL,"
    " seq BIGINT NOT NULL)",
    "CREATE INDEX inbox_by_state ON inbox (state, seq)",
    "CREATE TABLE statements (run_id TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL,"
    " envelope TEXT NOT NULL, at TEXT NOT NULL, seq BIGINT NOT NULL)",
)

_SELECTIONS = (
    "CREATE TABLE selections (run_id TEXT NOT NULL PRIMARY KEY, target TEXT NOT NULL, digest TEXT NOT NULL,"
    " record TEXT NOT NULL, at TEXT NOT NULL, seq BIGINT NOT NULL)",
    "CREATE INDEX selections_by_target ON selections (target, seq)",
    "CREATE TABLE splits (seq BIGINT NOT NULL PRIMARY KEY, run_id TEXT NOT NULL, target TEXT NOT NULL,"
    " suite TEXT NOT NULL, digest TEXT NOT NULL, record TEXT NOT NULL, at TEXT NOT NULL)",
    "CREATE INDEX splits_by_suite ON splits (target, suite, seq)",
)

_LEASES = (
    "CREATE TABLE leases (run_id TEXT NOT NULL PRIMARY KEY, target TEXT NOT NULL, holder TEXT NOT NULL,"
    " state TEXT NOT NULL, ticket BIGINT NOT NULL, since DOUBLE PRECISION NOT NULL,"
    " beat DOUBLE PRECISION NOT NULL)",
    "CREATE INDEX leases_by_target ON leases (target)",
)

_CANARIES = (
    "CREATE TABLE canaries (target TEXT NOT NULL PRIMARY KEY, record TEXT NOT NULL, at TEXT NOT NULL)",
)

_FROZEN = (
    "CREATE TABLE frozen (frozen_id TEXT NOT NULL PRIMARY KEY, target TEXT NOT NULL, model_id TEXT NOT NULL,"
    " digest TEXT NOT NULL, record TEXT NOT NULL, envelope TEXT NOT NULL, at TEXT NOT NULL, seq BIGINT NOT NULL)",
    "CREATE INDEX frozen_by_target ON frozen (target, seq)",
)

_SQLITE_GUARDS = tuple(
    f"CREATE TRIGGER events_no_{verb.lower()} BEFORE {verb} ON events "
    "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
    for verb in ("UPDATE", "DELETE")
)
_POSTGRESQL_GUARDS = (
    "CREATE FUNCTION gatewright_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'events are append-only'; END $$",
    "CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
    "FOR EACH STATEMENT EXECUTE FUNCTION gatewright_append_only()",
)

MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        number=1,
        name="what is live, runs, verdicts, answers, steps, inbox, and the chain of events",
        statements=_TABLES,
        sqlite=_SQLITE_GUARDS,
        postgresql=_POSTGRESQL_GUARDS,
    ),
    Migration(
        number=2,
        name="selections among several candidates, and which cases choose and which judge",
        statements=_SELECTIONS,
    ),
    Migration(
        number=3,
        name="which process carries out which run, and which run holds its target",
        statements=_LEASES,
    ),
    Migration(
        number=4,
        name="the few cases of each target that a canary asks, and what came of it",
        statements=_CANARIES,
    ),
    Migration(
        number=5,
        name="frozen baselines: live models whose answers are kept for when they answer no more",
        statements=_FROZEN,
    ),
)


def migrate(connection: Connection, at: str, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the schema up to date within the caller's write transaction: all of it, or nothing when a step fails.

    Raises RegistryError when the registry was written by a newer Gatewright.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    applied = _applied(connection)
    unknown = applied - {migration.number for migration in migrations}
    if unknown:
        raise RegistryError(
            f"the registry has migration {max(unknown)}, of a later version; this is Gatewright {__version__}, which"
            f" knows {len(migrations)}: upgrade it"
        )
    for migration in migrations:
        if migration.number not in applied:
            _apply(connection, migration, at)


def require_newest(connection: Connection) -> None:
    """Check a schema that can't be brought up to date here. Raises RegistryError when it is not this Gatewright's."""
    found = inspect(connection).has_table("schema_migrations") and _applied(connection)
    if found != {migration.number for migration in MIGRATIONS}:
        raise RegistryError(
            "the registry can only be read here, and was last written by another version of Gatewright: open it once"
            " where it can be written, or look with that version"
        )


def _applied(connection: Connection) -> set[int]:
    if not inspect(connection).has_table("schema_migrations"):
        connection.exec_driver_sql(
            "CREATE TABLE schema_migrations (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL,"
            " applied_at TEXT NOT NULL)"
        )
    return set(connection.execute(text("SELECT number FROM schema_migrations")).scalars())


def _apply(connection: Connection, migration: Migration, at: str) -> None:
    own = migration.sqlite if connection.dialect.name == "sqlite" else migration.postgresql
    for statement in (*migration.statements, *own):
        connection.exec_driver_sql(statement)
    connection.execute(
        text(
            "INSERT INTO schema_migrations (number, name, applied_at) VALUES (:number, :name, :at)"
        ),
        {"number": migration.number, "name": migration.name, "at": at},
    )
