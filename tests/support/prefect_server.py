"""A Prefect server of a test's own: a real one, that finds its tables made.

Making them takes a new server half of its start, ten seconds of a processor. `prefect_3_9_1.db.xz` is what
`prefect server database upgrade` made of nothing; a server of a later release brings it up to date as it starts.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.paths import ROOT

from flows.orchestration.processes import Processes, free_port

__all__ = ["QUIET", "flows_report_to", "make_tables", "running_prefect_server", "write_tables"]

QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",  # three seconds, for kinds of storage that nobody here uses
    # Its rounds for schedules, automations and worker states: nobody here waits for one, and a second of each start and
    # half of an idle server's time go into them.
    **{
        f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false"
        for service in (
            *("CANCELLATION_CLEANUP", "CLEANUP_RECONCILER", "DB_VACUUM", "FOREMAN", "LATE_RUNS"),
            *("REPOSSESSOR", "SCHEDULER", "TRIGGERS"),
        )
    },
}
"""What every server of a test is told."""
_TABLES = ROOT / "tests" / "fixtures" / "prefect_3_9_1.db.xz"


def make_tables(prefect_home: Path) -> None:
    """Put a database with all tables and no rows where a server of this PREFECT_HOME looks for it."""
    prefect_home.mkdir(parents=True, exist_ok=True)
    write_tables(prefect_home / "prefect.db")


def write_tables(database: Path) -> None:
    """Write a database with all tables of a Prefect server and no rows."""
    database.write_bytes(lzma.decompress(_TABLES.read_bytes()))


@contextmanager
def running_prefect_server(folder: Path) -> Iterator[str]:
    """Run a server with its home and its log in `folder`; yields the URL of its API."""
    make_tables(folder)
    port = free_port()
    processes = Processes(folder / "processes")
    environment = {
        "PREFECT_HOME": str(folder),
        **QUIET,
    }
    command = ("-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port))
    processes.start("prefect", command, environment=environment)
    url = f"http://127.0.0.1:{port}/api"
    try:
        processes.wait_for_http("prefect", f"{url}/health", patience_s=300)
        yield url
    finally:
        processes.stop()


@contextmanager
def flows_report_to(url: str) -> Iterator[None]:
    """Have flows that run in this process report to the server at `url`, and to the end of all they have to say."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    settings = {PREFECT_API_URL: url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    with temporary_settings(updates=settings):
        yield
        with suppress(RuntimeError):  # nothing was logged
            APILogWorker.instance().drain()
        EventsWorker.drain_all()
