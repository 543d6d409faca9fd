"""The four servers of a local session: the embedded platform, Prefect, the service with its webhooks, and a worker."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from evals.errors import InfrastructureError
from flows.orchestration.prefect_api import PrefectApi
from flows.orchestration.processes import Processes

__all__ = ["EAGER", "POOL", "WORKER", "Ports", "Servers"]

POOL = "gatewright"
WORKER = ("-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process")
EAGER = {"PREFECT_WORKER_QUERY_SECONDS": "1"}
"""A worker looks for work every 10 s by default, which is long to somebody who watches; a local server bears more."""
_PREFECT_PATIENCE_S = 600.0
PROJECT = Path(__file__).resolve().parents[2]


class Ports(Protocol):
    """Where the servers listen, and the secret that signs webhooks."""

    @property
    def emulator_port(self) -> int: ...
    @property
    def prefect_port(self) -> int: ...
    @property
    def service_port(self) -> int: ...
    @property
    def webhook_secret(self) -> str: ...


class Servers:
    """Starts the servers one after the other; slow ones are started early and waited for late."""

    def __init__(
        self, processes: Processes, environment: Mapping[str, str], home: Path, ports: Ports
    ) -> None:
        self._processes, self._environment, self._home, self._ports = (
            processes,
            environment,
            home,
            ports,
        )

    def steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield what is done next, in words, and the function that does it."""
        yield "embedded platform and Prefect server started", self._begin
        yield (
            f"embedded platform answers at http://127.0.0.1:{self._ports.emulator_port}",
            self._emulator_ready,
        )
        yield (
            f"Prefect server answers at http://127.0.0.1:{self._ports.prefect_port}",
            self._prefect_ready,
        )
        yield "flows deployed (prefect.yaml) and a worker waits for them", self._deploy
        yield (
            f"Gatewright takes webhooks at http://127.0.0.1:{self._ports.service_port}",
            self._service,
        )

    def _begin(self) -> None:
        hook = f"http://127.0.0.1:{self._ports.service_port}/webhooks/openai"
        self._start(
            "prefect",
            "-m",
            "prefect",
            "server",
            "start",
            "--host",
            "127.0.0.1",
            "--port",
            str(self._ports.prefect_port),
        )
        self._start(
            "emulator",
            *("-m", "flows.emulator", "--port", str(self._ports.emulator_port)),
            *("--state", str(self._home / "emulator")),
            *("--webhook-url", hook, "--webhook-secret", self._ports.webhook_secret),
        )

    def _emulator_ready(self) -> None:
        url = f"http://127.0.0.1:{self._ports.emulator_port}/_emulator/health"
        self._processes.wait_for_http("emulator", url)

    def _prefect_ready(self) -> None:
        url = f"http://127.0.0.1:{self._ports.prefect_port}/api/health"
        self._processes.wait_for_http("prefect", url, patience_s=180)

    def _deploy(self) -> None:
        asyncio.run(self._create_pool())
        self._prefect("--no-prompt", "deploy", "--all")
        self._processes.start("worker", WORKER, environment={**self._environment, **EAGER})

    async def _create_pool(self) -> None:
        async with PrefectApi(f"http://127.0.0.1:{self._ports.prefect_port}/api") as prefect:
            await prefect.create_process_pool(POOL)

    def _service(self) -> None:
        port = str(self._ports.service_port)
        self._start("service", "-m", "flows.cli", "serve", "--port", port)
        self._processes.wait_for_http("service", f"http://127.0.0.1:{port}/healthz")

    def _start(self, name: str, *command: str) -> None:
        self._processes.start(name, command, environment=self._environment)

    def _prefect(self, *arguments: str) -> None:
        try:
            done = subprocess.run(  # noqa: S603 - the arguments are ours
                [sys.executable, "-m", "prefect", *arguments],
                cwd=PROJECT,
                capture_output=True,
                text=True,
                timeout=_PREFECT_PATIENCE_S,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise InfrastructureError(
                f"prefect {' '.join(arguments)} did not end within {_PREFECT_PATIENCE_S:.0f} s: this machine is busy;"
                " give the same command again when it is not"
            ) from error
        if done.returncode:
            raise InfrastructureError(
                f"prefect {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-2000:]}"
            )
