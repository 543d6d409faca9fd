"""A Prefect server for the length of one command, where no other is known.

Prefect would start one by itself, but in the terminal's own process group: Ctrl-C would end the server before the flow
that has to be closed on it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from evals.addresses import checked
from evals.files.full_disk import require_room
from flows.orchestration.prefect_api import PrefectApi
from flows.orchestration.processes import Processes, free_port

__all__ = ["prefect_server", "reach_named"]

_PREFIX = "temporary-prefect-"
_PATIENCE_S = 180.0
_DATABASE_BYTES = 8 << 20
"""What Prefect's database takes with its log, empty and with a few flow runs."""
# As Prefect's own temporary server has it: no pages, no background services.
_SMALL = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}


@contextmanager
def prefect_server(servers: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Have a Prefect server in a block: the one that environment or profile names, else one that ends with the block.

    `servers` is a folder for its log; `say` is called when one is started. Raises InfrastructureError when it does not
    start or the one that is named does not answer, ConfigurationError when that one can be none.
    """
    from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings

    if reach_named():
        yield
        return
    say(
        "no PREFECT_API_URL: starting a temporary Prefect server (about 20 s; `prefect server start` keeps one)"
    )
    home = get_current_settings().home
    require_room(home, _DATABASE_BYTES, "a temporary Prefect server keeps its database there")
    _stop_orphans(servers)
    folder, port = servers / f"{_PREFIX}{os.getpid()}", free_port()
    processes = Processes(folder)
    try:
        processes.start("prefect", _command(port), environment=_SMALL)
        address = f"http://127.0.0.1:{port}/api"
        processes.wait_for_http("prefect", f"{address}/health", patience_s=_PATIENCE_S)
        with temporary_settings({PREFECT_API_URL: address}):
            yield
    finally:
        processes.stop()
        shutil.rmtree(folder, ignore_errors=True)


def reach_named() -> bool:
    """See that the server answers that environment or profile names; False when none is named.

    Raises InfrastructureError when it does not answer, ConfigurationError when it can be none.
    """
    from prefect.settings import get_current_settings

    named = get_current_settings().api
    if not named.url:
        return False
    checked(str(named.url), where="PREFECT_API_URL")
    if (
        named.key is None
    ):  # Prefect's cloud tells nobody its version, and is its own client's matter
        auth = named.auth_string.get_secret_value() if named.auth_string else ""
        asyncio.run(_reach(str(named.url), auth))
    return True


async def _reach(url: str, auth: str) -> None:
    async with PrefectApi(url, auth=auth) as api:
        await api.reach()


def _command(port: int) -> list[str]:
    app = ["-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
    return [
        *app,
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--log-level", "error", "--lifespan", "on"),
    ]


def _stop_orphans(servers: Path) -> None:
    """Stop the servers of commands that were killed without warning."""
    for folder in servers.glob(f"{_PREFIX}*"):
        if not psutil.pid_exists(int(folder.name.removeprefix(_PREFIX))):
            Processes(folder).stop_leftovers()
            shutil.rmtree(folder, ignore_errors=True)
