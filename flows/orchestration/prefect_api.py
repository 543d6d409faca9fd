"""The thin client that starts Prefect deployments: a few calls of Prefect's REST API, no Prefect import (2 s saved).

`create_flow_run` carries an idempotency key, so that the same trigger delivered twice, by a webhook and by the
poller, is one flow run. A busy server answers 503 while its database is locked; that is waited out.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

import httpx

from evals.addresses import http_options
from evals.errors import ConfigurationError, InfrastructureError, Problem
from evals.files.full_disk import lacking_room
from flows.settings import prefect_home

__all__ = ["FINAL_STATES", "PrefectApi"]

FINAL_STATES = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
_JOB: dict[str, dict[str, Any]] = {
    "command": {"type": "string"},
    "env": {"type": "object", "default": {}},
    "labels": {"type": "object", "default": {}},
    "name": {"type": "string"},
    "stream_output": {"type": "boolean", "default": True},
    "working_dir": {"type": "string"},
}
"""What a flow run's process may be given, as the worker of Prefect's type "process" reads it."""
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_CONNECT_S = 4.0
"""A server that is down takes no connection in this time; one that takes it and is slow to answer is at work."""
_LEAST_ROOM = 1 << 20


class PrefectApi:
    """A connection to one Prefect server. `url` ends in /api; `auth` is 'user:password' or empty."""

    def __init__(self, url: str, *, auth: str = "", patience_s: float = 60.0) -> None:
        headers = (
            {"Authorization": f"Basic {base64.b64encode(auth.encode()).decode()}"} if auth else {}
        )
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/",
            headers=headers,
            timeout=30,
            **http_options(url, where="PREFECT_API_URL"),
        )
        self._url, self._patience_s = url, patience_s

    @classmethod
    def from_environment(cls) -> Self:
        """Return a client for PREFECT_API_URL. Raises ConfigurationError when it is not set."""
        url = os.environ.get("PREFECT_API_URL")
        if not url:
            raise ConfigurationError(
                Problem(
                    where="PREFECT_API_URL",
                    message="expected the address of a Prefect server; it is not set",
                    fix="start one with `prefect server start` and export PREFECT_API_URL=http://127.0.0.1:4200/api",
                )
            )
        return cls(url, auth=os.environ.get("PREFECT_API_AUTH_STRING", ""))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.aclose()

    async def reach(self) -> None:
        """See within seconds that the server is there.

        Raises InfrastructureError when nothing answers at its address, or what does is no Prefect server.
        """
        await self.version()

    async def version(self) -> str:
        """Return the release of the server. Raises InfrastructureError when what answers is no Prefect server."""
        answer = await self._once("admin/version")
        with suppress(ValueError):
            if answer.is_success and isinstance(found := answer.json(), str):
                return found
        if answer.status_code in (401, 403):
            raise InfrastructureError(
                f"the Prefect server at {self._url} lets nobody in without a sign-in ({answer.status_code}):"
                " set PREFECT_API_AUTH_STRING"
            )
        raise InfrastructureError(
            f"what answers at {self._url} is no Prefect server ({answer.status_code} for {answer.url.path}):"
            " set PREFECT_API_URL to the address of one, such as http://127.0.0.1:4200/api"
        )

    async def _once(self, path: str) -> httpx.Response:
        try:
            return await self._client.get(path, timeout=httpx.Timeout(30.0, connect=_CONNECT_S))
        except httpx.TransportError as error:
            why = str(error) or type(error).__name__
            raise InfrastructureError(
                f"no Prefect server answers at {self._url} ({why}): start it (prefect server start), or correct PREFECT_API_URL"
            ) from error

    async def create_flow_run(
        self,
        deployment: str,
        parameters: Mapping[str, Any],
        *,
        idempotency_key: str,
        name: str | None = None,
    ) -> str:
        """Start `flow/deployment` once for this key and return the flow run's id, the old one when it exists.

        Raises:
            ConfigurationError: the server has no such deployment.
            InfrastructureError: the server can't be reached, or refuses the parameters.
        """
        answer = await self._ask("GET", f"deployments/name/{deployment}")
        if answer.status_code == 404:
            raise ConfigurationError(
                Problem(
                    where=self._url,
                    message=f"the Prefect server has no deployment '{deployment}'",
                    fix="run: prefect --no-prompt deploy --all",
                )
            )
        identifier = self._checked(answer)["id"]
        body = {"parameters": dict(parameters), "idempotency_key": idempotency_key, "name": name}
        created = await self._ask("POST", f"deployments/{identifier}/create_flow_run", json=body)
        return str(self._checked(created)["id"])

    async def create_process_pool(self, name: str) -> None:
        """Create a work pool whose flow runs are processes of this Python on this machine, unless there is one of this name.

        A command of the pool's own makes a flow run one process; else Prefect starts one that starts another, for
        two seconds of a processor.
        """
        command = f"{shlex.quote(sys.executable)} -m prefect.engine"
        template = {
            "job_configuration": {key: f"{{{{ {key} }}}}" for key in _JOB},
            "variables": {
                "type": "object",
                "properties": _JOB | {"command": {"type": "string", "default": command}},
            },
        }
        pool = {"name": name, "type": "process", "base_job_template": template}
        answer = await self._ask("POST", "work_pools/", json=pool)
        if answer.status_code != 409:
            self._checked(answer)

    async def flow_run(self, flow_run_id: str) -> Mapping[str, Any]:
        """Return a flow run as the server tells it: id, name, state_type, state."""
        return self._checked(await self._ask("GET", f"flow_runs/{flow_run_id}"))

    async def look_up(self, flow_run_id: str) -> Mapping[str, Any] | None:
        """Return a flow run as the server tells it, None when it knows none of this id (any more)."""
        answer = await self._ask("GET", f"flow_runs/{flow_run_id}")
        return None if answer.status_code == 404 else self._checked(answer)

    async def resume(self, flow_run_id: str, answer: Mapping[str, Any]) -> bool:
        """Resume a suspended flow run with the input it waits for; False when it is not suspended, or not known.

        Raises:
            InfrastructureError: the server can't be reached, or does not take the input.
        """
        if await self.look_up(flow_run_id) is None:  # resuming one that isn't there is a 500
            return False
        path, patience = f"flow_runs/{flow_run_id}/resume", 20
        for _ in range(patience):
            response = await self._ask("POST", path, json={"run_input": dict(answer)})
            result = self._checked(response)
            if result["status"] in ("ACCEPT", "ABORT"):
                return bool(result["status"] == "ACCEPT")
            reason = str((result.get("details") or {}).get("reason", ""))
            if "schema not found" not in reason:  # its process has not finished suspending it yet
                break
            await asyncio.sleep(0.5)
        raise InfrastructureError(f"Prefect does not resume flow run {flow_run_id}: {reason}")

    async def wait(self, flow_run_id: str, *, poll_s: float = 1.0) -> str:
        """Wait until a flow run is over (or suspended) and return its state type, such as COMPLETED or PAUSED."""
        while True:
            state = str((await self.flow_run(flow_run_id))["state_type"])
            if state in FINAL_STATES or state == "PAUSED":
                return state
            await asyncio.sleep(poll_s)

    async def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self._patience_s, 0.25
        while True:
            try:
                answer = await self._client.request(method, path, **options)
                if answer.status_code not in _BUSY or loop.time() > deadline:
                    return answer
            except httpx.TransportError as error:
                if loop.time() > deadline:
                    raise InfrastructureError(
                        f"no Prefect server answers at {self._url}: {error}"
                    ) from error
            await asyncio.sleep(pause)
            pause = min(pause * 2, 4.0)

    def _checked(self, answer: httpx.Response) -> Mapping[str, Any]:
        if answer.is_success:
            result: Mapping[str, Any] = answer.json()
            return result
        # Its database is most often on this machine, and tells nobody that its disk is full.
        lacking = lacking_room(prefect_home(), _LEAST_ROOM) if answer.is_server_error else ""
        why = f"{answer.text[:300]}{'; ' if lacking else ''}{lacking}"
        raise InfrastructureError(f"Prefect at {self._url} answered {answer.status_code}: {why}")
