"""The registry's tables as SQLAlchemy Core sees them; the migrations are what really creates them.

Only column types that SQLite and PostgreSQL share are used. `events` is append-only and guarded by triggers;
`chain_head` has one row, and locking it is how PostgreSQL puts writers in line (SQLite locks the file).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "answers",
    "canaries",
    "chain_head",
    "events",
    "frozen",
    "holds",
    "inbox",
    "leases",
    "metadata",
    "migrations",
    "pointers",
    "runs",
    "selections",
    "splits",
    "statements",
    "steps",
    "suite_results",
    "verdicts",
]

metadata = MetaData()

migrations = Table(
    "schema_migrations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("applied_at", Text, nullable=False),
)

chain_head = Table(
    "chain_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("target", Text),
    Column("run_id", Text),
    Column("model_id", Text),
    Column("from_model", Text),
    Column("generation", BigInteger),
    Column("reason", Text, nullable=False),
    Column("evidence_digest", Text),
    Column("data", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("events_by_target", "target", "seq"),
    Index("events_by_run", "run_id", "seq"),
    Index("events_by_model", "target", "model_id", "seq"),
)

pointers = Table(
    "pointers",
    metadata,
    Column("target", Text, primary_key=True),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("model_id", Text),  # NULL: withdrawn, nothing is live
    Column("pointer", Text),
    Column("restores", BigInteger),
    Column("run_id", Text),
    Column("since", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("pointers_by_run", "run_id"),
)

holds = Table(
    "holds",
    metadata,
    Column("target", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("target", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("trigger_key", Text),
    Column("record", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    UniqueConstraint("target", "kind", "trigger_key", name="runs_one_per_trigger"),
    Index("runs_by_target", "target", "created_at"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("slot", Text, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
)

suite_results = Table(
    "suite_results",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("slot", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("suite", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", Text, nullable=False),
    Column("slot", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("record", Text, nullable=False),
    Index("answers_by_run", "run_id", "seq"),
)

steps = Table(
    "steps",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("at", Text, nullable=False),
    Index("steps_by_run", "run_id", "seq"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("payload", Text, nullable=False),
    Column("received_at", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("inbox_by_state", "state", "seq"),
)

statements = Table(
    "statements",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("envelope", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
)

frozen = Table(
    "frozen",
    metadata,
    Column("frozen_id", Text, primary_key=True),
    Column("target", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("envelope", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("frozen_by_target", "target", "seq"),
)

selections = Table(
    "selections",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("target", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("selections_by_target", "target", "seq"),
)

splits = Table(
    "splits",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("suite", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("at", Text, nullable=False),
    Index("splits_by_suite", "target", "suite", "seq"),
)

leases = Table(
    "leases",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("target", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("ticket", BigInteger, nullable=False),
    Column("since", Double, nullable=False),
    Column("beat", Double, nullable=False),
    Index("leases_by_target", "target"),
)

canaries = Table(
    "canaries",
    metadata,
    Column("target", Text, primary_key=True),
    Column("record", Text, nullable=False),
    Column("at", Text, nullable=False),
)
