"""Local server processes of a working session: started with a log file, waited for, and stopped as a group.

What was started is written down first (pid and start time), so that a session killed without warning leaves nothing
that the next one can't find and stop. A pid alone would not do: the number may belong to somebody else by then.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from evals.addresses import http_options
from evals.errors import InfrastructureError
from evals.files import replace_file

__all__ = ["Processes", "free_port"]

GRACE_S = 10.0
_LOWEST, _PORTS = 12_000, 20_000
"""Ports below those that systems assign on their own: Linux begins at 32,768, others at 49,152."""


class Processes:
    """The servers of one session. `folder` holds their logs and `processes.json`, the list of what runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ledger = folder / "processes.json"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def stop_leftovers(self) -> int:
        """Stop whatever an earlier session, killed without warning, left running. Returns how many there were."""
        if not self._ledger.exists():
            return 0
        entries = json.loads(self._ledger.read_text("utf-8"))
        found = [entry for entry in entries if _is_same(entry)]
        for entry in found:
            _stop_group(int(entry["pid"]))
        self._ledger.unlink()
        return len(found)

    def start(self, name: str, command: Sequence[str], *, environment: Mapping[str, str]) -> None:
        """Start `command` (run by this Python when it begins with '-m') in a process group of its own."""
        argv = [sys.executable, *command] if command[0] == "-m" else list(command)
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - the command is ours
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self._running[name] = process
        self._write_ledger()

    def wait_for(
        self,
        name: str,
        ready: Callable[[], bool],
        *,
        patience_s: float = 90.0,
        why: Callable[[], str] = lambda: "it is still starting",
    ) -> None:
        """Wait until `ready()`. Raises InfrastructureError with the end of the log when it dies or takes too long.

        `why` says what was found instead, the last time.
        """
        deadline = time.monotonic() + patience_s
        while not ready():
            code = self._running[name].poll()
            if code is not None:
                raise InfrastructureError(
                    f"{name} stopped with exit code {code}:\n{self.tail(name)}"
                )
            if time.monotonic() > deadline:
                raise InfrastructureError(
                    f"{name} was not ready within {patience_s:.0f} s: {why()}\n{self.tail(name)}"
                )
            time.sleep(0.1)

    def wait_for_http(self, name: str, url: str, *, patience_s: float = 90.0) -> None:
        """Wait until `url` answers 2xx."""
        seen = ""
        with httpx.Client(timeout=2, **http_options(url)) as client:

            def ready() -> bool:
                nonlocal seen
                try:
                    answer = client.get(url)
                except httpx.TransportError as error:
                    seen = f"nothing answers at {url} ({error or type(error).__name__})"
                    return False
                seen = f"{url} answers {answer.status_code} {answer.text[:200]}".rstrip()
                return answer.is_success

            self.wait_for(name, ready, patience_s=patience_s, why=lambda: seen)

    def tail(self, name: str, lines: int = 15) -> str:
        """Return the last lines of a server's log."""
        text = (self.folder / f"{name}.log").read_text("utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:]) or "its log is empty"

    def running(self, name: str) -> subprocess.Popen[bytes]:
        """Return the process started under a name. Raises KeyError."""
        return self._running[name]

    def stop(self) -> None:
        """Stop everything, last started first."""
        for process in reversed(self._running.values()):
            _stop_group(process.pid)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
        self._running.clear()
        self._ledger.unlink(missing_ok=True)

    def _write_ledger(self) -> None:
        entries = []
        for process in self._running.values():
            with suppress(psutil.NoSuchProcess):
                started = psutil.Process(process.pid).create_time()
                entries.append({"pid": process.pid, "started": started})
        replace_file(self._ledger, json.dumps(entries).encode())


def free_port() -> int:
    """Return a TCP port on loopback that is free now, outside of the range that the system assigns on its own.

    Until a server takes it, a busy machine may assign hundreds of ports of that range.
    """
    for _ in range(100):
        port = _LOWEST + secrets.randbelow(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_same(entry: Mapping[str, float]) -> bool:
    with suppress(psutil.NoSuchProcess):
        return abs(psutil.Process(int(entry["pid"])).create_time() - entry["started"]) < 1.0
    return False


def _stop_group(pid: int) -> None:
    members = _members(pid)
    _signal_all(members, signal.SIGTERM)
    _gone, alive = psutil.wait_procs(members, timeout=GRACE_S)
    _signal_all(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=GRACE_S)


def _members(pid: int) -> list[psutil.Process]:
    """The process and all that descend from it, even those that moved to a group of their own."""
    with suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        return [*leader.children(recursive=True), leader]
    return []


def _signal_all(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
