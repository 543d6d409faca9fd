"""Starting the emulator: as a server of its own, or inside a test's process.

`with Emulator(folder) as emulator:` runs uvicorn in a thread and gives `.url`, `.clock`, `.switches`, `.log`.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

from flows.emulator.app import build_app
from flows.emulator.gateway.auth import issue_token
from flows.emulator.models.model_cache import ModelCache
from flows.emulator.state.clock import Clock
from flows.emulator.state.documents import MintedToken
from flows.emulator.state.emulator_state import EmulatorState, LogEntry
from flows.emulator.state.store import Store
from flows.emulator.switches import Switches, changed
from flows.emulator.webhooks.registration import add_webhook

__all__ = ["Emulator", "serve"]

_STARTING_S = 20.0


def open_state(folder: Path, switches: Switches) -> EmulatorState:
    """Open the state folder and return all that the handlers share."""
    folder = Path(folder).resolve()
    store = Store(folder)
    clock = Clock(store)
    if not store.fact("first-moment"):
        store.set_fact("first-moment", clock.now())
    return EmulatorState(
        folder=folder,
        store=store,
        clock=clock,
        first_moment=store.fact("first-moment"),
        switches=switches,
        model_cache=ModelCache(folder / "models"),
    )


def _configure(state: EmulatorState, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        build_app(state),
        host="127.0.0.1",
        port=port,
        log_level="critical",
        access_log=False,
        ws="none",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )


def serve(state: EmulatorState, port: int) -> None:
    """Serve until the process is told to stop. Raises OSError when the port is taken."""
    listener = _listen(port)
    try:
        uvicorn.Server(_configure(state, port)).run(sockets=[listener])
    finally:
        listener.close()
        state.store.close()


class _QuicklyStoppedServer(uvicorn.Server):
    """Looks often whether it should stop, so that a test doesn't wait for it."""

    async def main_loop(self) -> None:
        """Tick a hundred times a second; what happens once a second keeps its pace."""
        ticks = 0
        while not await self.on_tick(ticks // 10 if ticks % 10 == 0 else 1):
            ticks += 1
            await asyncio.sleep(0.01)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close everything at once; whoever still waits for an answer gets none."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)
        await self.lifespan.shutdown()


class Emulator:
    """An emulator in a thread of this process, for tests."""

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        *,
        switches: Switches | None = None,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        **changes: Any,
    ) -> None:
        self.state = open_state(folder, changed(switches or Switches(), changes))
        if webhook_url and webhook_secret:
            add_webhook(self.state, webhook_url, webhook_secret)
        self._listener = _listen(port)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = _QuicklyStoppedServer(_configure(self.state, self.port))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True
        )

    @property
    def clock(self) -> Clock:
        """The emulator's time; `advance(seconds)` moves it."""
        return self.state.clock

    @property
    def switches(self) -> Switches:
        """The switches of this moment; assign a changed record to change them."""
        return self.state.switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self.state.switches = switches

    @property
    def log(self) -> list[LogEntry]:
        """The requests answered so far."""
        return list(self.state.log)

    def set(self, **changes: Any) -> None:
        """Change some switches."""
        self.state.change(changes)

    def token(self, **claims: Any) -> str:
        """Give out a bearer token; `auth.issue_token` tells the arguments."""
        token: MintedToken = issue_token(self.state, **claims)
        return token.id

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + _STARTING_S
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the emulator did not start")
            time.sleep(0.005)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._listener.close()
        self.state.store.close()


def _listen(port: int) -> socket.socket:
    # named as TCP, so that asyncio switches Nagle's algorithm off for every connection
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener
