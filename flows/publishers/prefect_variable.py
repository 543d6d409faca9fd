"""Publishes to a Prefect variable, by the REST API of the server that PREFECT_API_URL names.

PREFECT_API_URL           such as http://127.0.0.1:4200/api
PREFECT_API_AUTH_STRING   user:password of a guarded server; goes before the key
PREFECT_API_KEY           key of a Prefect Cloud workspace
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from urllib.parse import quote

import msgspec

from evals.codec import convert
from evals.errors import Problem, PublishError
from evals.records import LivePointer, Record
from flows.publishers.http import request

__all__ = ["PrefectVariableOptions", "PrefectVariablePublisher"]

_MISSING = frozenset({404})
_TAKEN = frozenset({409})


class PrefectVariableOptions(Record, frozen=True, kw_only=True):
    """`name` is the variable's."""

    name: str


class PrefectVariablePublisher:
    """One variable for one target; its value is the pointer as JSON."""

    reads_back = True

    def __init__(self, target: str, options: PrefectVariableOptions, root: Path) -> None:
        self.target = target
        self.name = f"prefect_variable {options.name}"
        self._variable = options.name

    def problems(self) -> tuple[Problem, ...]:
        """Return one problem when no server is named."""
        if os.environ.get("PREFECT_API_URL"):
            return ()
        return (
            Problem(
                where="PREFECT_API_URL",
                message=f"expected the address of a Prefect server for {self.name}; found nothing",
                fix="export PREFECT_API_URL=http://127.0.0.1:4200/api",
            ),
        )

    async def publish(self, pointer: LivePointer) -> None:
        """Create the variable, or change it. Raises PublishError."""
        value = msgspec.to_builtins(pointer)
        body = {"name": self._variable, "value": value, "tags": ["gatewright", self.target]}
        made = await self._send("POST", "/variables/", body, _TAKEN)
        if made == 409:
            await self._send("PATCH", self._path, {"value": value})

    async def read_back(self) -> LivePointer | None:
        """Read the variable, None when there is none. Raises PublishError when it holds no pointer."""
        response = await request(
            self.name, "GET", self._url(self._path), headers=_headers(), accept=_MISSING
        )
        if response.status_code == 404:
            return None
        try:
            return convert(response.json()["value"], LivePointer)
        except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
            raise PublishError(f"{self.name} holds no live pointer: {error}") from error

    async def withdraw(self) -> None:
        """Delete the variable; deleting what is not there is no error."""
        await self._send("DELETE", self._path, None, _MISSING)

    @property
    def _path(self) -> str:
        return f"/variables/name/{quote(self._variable, safe='')}"

    def _url(self, path: str) -> str:
        address = os.environ.get("PREFECT_API_URL")
        if not address:
            raise PublishError(f"{self.name}: PREFECT_API_URL is not set")
        return address.rstrip("/") + path

    async def _send(
        self, method: str, path: str, body: object, accept: frozenset[int] = frozenset()
    ) -> int:
        content = msgspec.json.encode(body) if body is not None else None
        response = await request(
            self.name, method, self._url(path), headers=_headers(), content=content, accept=accept
        )
        return response.status_code


def _headers() -> dict[str, str]:
    headers = {"content-type": "application/json"}
    if login := os.environ.get("PREFECT_API_AUTH_STRING"):
        headers["authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    elif key := os.environ.get("PREFECT_API_KEY"):
        headers["authorization"] = f"Bearer {key}"
    return headers
