"""The registry's tests run on the real databases: SQLite always, PostgreSQL wherever its programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from support.registry import Story

from flows.registry.store import Registry

_NUMBERS = count(1)


def _programs() -> Path | None:
    found = shutil.which("initdb")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).resolve().parent if found else versions[-1].parent if versions else None


def _as_server_user() -> list[str]:
    """PostgreSQL refuses to run as root; a container's root runs it as the user it came with."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A server of our own in a temporary folder; yields the URL of its maintenance database."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL is installed here")
    # Not below pytest's own folder, which other users may not enter.
    folder = Path(tempfile.mkdtemp(prefix="gatewright-pg-"))
    user = _as_server_user()
    if user:
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    subprocess.run(
        [*user, programs / "initdb", "-D", data, "-A", "trust", "-U", "gate", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    options = f"-p {port} -h 127.0.0.1 -k '' -c fsync=off -c max_connections=60"
    control = [*user, programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], check=True, capture_output=True, cwd=folder)
    try:
        yield f"postgresql://gate@127.0.0.1:{port}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], capture_output=True, cwd=folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_programs() -> Path:
    """Where pg_dump and its kin are."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL is installed here")
    return programs


@pytest.fixture
def new_postgresql(postgresql_server: str) -> Callable[[], str]:
    """Makes URLs of empty PostgreSQL databases."""

    def create() -> str:
        name = f"registry_{next(_NUMBERS)}"
        with psycopg.connect(f"{postgresql_server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{postgresql_server}/{name}"

    return create


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Makes URLs of empty databases, once of SQLite and once of PostgreSQL."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path}/registry-{next(_NUMBERS)}.db"
    create: Callable[[], str] = request.getfixturevalue("new_postgresql")
    return create


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    with Registry.open(url) as opened:
        yield opened


@pytest.fixture
def story(registry: Registry) -> Story:
    return Story(registry)


@pytest.fixture
def tamper(url: str, registry: Registry) -> Iterator[Callable[..., None]]:
    """Runs SQL past the registry, with the guards of the event table switched off."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))

    def run(statement: str, *, guarded: bool = False) -> None:
        with engine.begin() as connection:
            if not guarded and engine.dialect.name == "postgresql":
                connection.execute(text("ALTER TABLE events DISABLE TRIGGER USER"))
            elif not guarded:
                for trigger in ("events_no_update", "events_no_delete"):
                    connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
            connection.exec_driver_sql(statement)

    yield run
    engine.dispose()
