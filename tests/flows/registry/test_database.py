"""Opening: migrations, URLs that are none, and what happens when the database does not answer."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import create_engine, inspect

from evals.errors import ConfigurationError, RegistryError
from flows.registry.database import schema
from flows.registry.database.migrations import MIGRATIONS, Migration, migrate
from flows.registry.store import Registry


def test_the_migrations_make_exactly_the_tables_the_code_works_with(url, registry):
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    found = inspect(engine)
    assert set(found.get_table_names()) == set(schema.metadata.tables)
    for name, table in schema.metadata.tables.items():
        columns = {column["name"]: column["nullable"] for column in found.get_columns(name)}
        assert columns == {column.name: column.nullable for column in table.columns}, name
        key = found.get_pk_constraint(name)["constrained_columns"]
        assert key == [column.name for column in table.primary_key.columns], name
        indexes = {index["name"] for index in found.get_indexes(name)} - {"runs_one_per_trigger"}
        assert indexes == {index.name for index in table.indexes}, name
    engine.dispose()


def test_migrations_are_numbered_without_gaps_and_applied_once(url, registry):
    assert [migration.number for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
    registry.hold("x", actor="ana", reason="y")
    with Registry.open(url) as again:
        assert again.held("x") is not None


def later(*statements: str) -> tuple[Migration, ...]:
    """The migrations of a Gatewright to come."""
    number = len(MIGRATIONS) + 1
    return (*MIGRATIONS, Migration(number=number, name="a note", statements=statements))


def test_an_old_registry_is_brought_up_to_date_with_all_that_it_holds(url, registry):
    registry.hold("x", actor="ana", reason="y")
    newer = later("ALTER TABLE holds ADD COLUMN note TEXT NOT NULL DEFAULT 'none'")
    for _ in range(2):  # the second time finds it done
        with registry.database.write() as writer:
            migrate(writer.connection, registry.now(), newer)
    with registry.database.read() as connection:
        applied = connection.exec_driver_sql("SELECT number FROM schema_migrations ORDER BY number")
        assert list(applied.scalars()) == [migration.number for migration in newer]
        held = connection.exec_driver_sql("SELECT target, reason, note FROM holds").one()
        assert tuple(held) == ("x", "y", "none")
    assert registry.verify() == ()
    with pytest.raises(RegistryError, match="upgrade"):
        Registry.open(url)  # this Gatewright knows the older ones only


def test_a_migration_that_breaks_half_way_changes_nothing(url, registry):
    registry.hold("x", actor="ana", reason="y")
    broken = later(
        "ALTER TABLE holds ADD COLUMN note TEXT", "ALTER TABLE nothing ADD COLUMN a TEXT"
    )
    with pytest.raises(RegistryError, match="nothing"), registry.database.write() as writer:
        migrate(writer.connection, registry.now(), broken)
    with Registry.open(url) as again:
        assert again.held("x") is not None
        with again.database.read() as connection:
            columns = {column["name"] for column in inspect(connection).get_columns("holds")}
    assert "note" not in columns


def test_a_registry_of_a_newer_gatewright_is_not_touched(tmp_path):
    path = tmp_path / "registry.db"
    Registry.open(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (99, 'later', 'now')")
    connection.close()
    with pytest.raises(RegistryError, match="upgrade"):
        Registry.open(f"sqlite:///{path}")


@pytest.mark.parametrize(
    "url", ["not a url", "", "mysql://host/db", "sqlite://", "sqlite:///:memory:"]
)
def test_a_url_that_is_no_registrys_is_one_clear_error(url):
    with pytest.raises(ConfigurationError, match="GATEWRIGHT_REGISTRY_URL"):
        Registry.open(url)


def test_a_file_that_is_no_database_is_a_registry_error(tmp_path):
    (tmp_path / "registry.db").write_text("not a database, but long enough to look like one" * 50)
    with pytest.raises(RegistryError, match="registry"):
        Registry.open(f"sqlite:///{tmp_path}/registry.db")


def test_a_server_that_does_not_answer_is_a_registry_error_without_the_password():
    with pytest.raises(RegistryError) as caught:
        Registry.open("postgresql://gate:s3cret@127.0.0.1:1/registry")
    assert "s3cret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_folders_are_made_for_a_new_file(tmp_path):
    with Registry.open(f"sqlite:///{tmp_path}/deep/down/registry.db") as registry:
        assert registry.live("x") is None


def test_sqlite_is_opened_so_that_committed_means_on_disk(tmp_path):
    url = f"sqlite:///{tmp_path}/registry.db"
    with Registry.open(url) as registry, registry.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
