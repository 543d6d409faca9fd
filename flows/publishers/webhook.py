"""Publishes by a signed webhook (Standard Webhooks, https://www.standardwebhooks.com).

The message id is the same for every try of one generation, so that a receiver can tell a repetition from a change.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from evals.addresses import checked
from evals.codec import decode
from evals.errors import CredentialError, Problem, PublishError
from evals.records import LivePointer, Record, encode
from flows.publishers.http import request

__all__ = ["WebhookOptions", "WebhookPublisher", "signed_headers"]

_MISSING = frozenset({404})


class WebhookOptions(Record, frozen=True, kw_only=True):
    """`url` receives the POST; `secret_env` names the variable with the secret (whsec_… or base64).

    `read_url`, when given, answers a GET with the pointer that applications see, as JSON; 404 means none.
    """

    url: str
    secret_env: str = "GATEWRIGHT_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
    read_url: str | None = None


class WebhookPublisher:
    """One receiver for one target."""

    def __init__(self, target: str, options: WebhookOptions, root: Path) -> None:
        checked(options.url, where="publish", field="webhook.url", secure=True)
        if options.read_url is not None:
            checked(options.read_url, where="publish", field="webhook.url", secure=True)
        self.target = target
        self.name = f"webhook {_shown(options.url)}"
        self.reads_back = options.read_url is not None
        self._options = options

    def problems(self) -> tuple[Problem, ...]:
        """Return one problem when the secret is missing or no base64."""
        try:
            _secret(self._options.secret_env)
        except CredentialError as error:
            return error.problems
        return ()

    async def publish(self, pointer: LivePointer) -> None:
        """Send the pointer. Raises PublishError unless the receiver says 2xx."""
        message = f"live_{self.target}_{pointer.generation}"
        body = {"type": "live.changed", "timestamp": pointer.since, "data": pointer}
        await self._post(message, body)

    async def read_back(self) -> LivePointer | None:
        """Ask `read_url`, None when there is none or it knows none. Raises PublishError on anything but a pointer."""
        if self._options.read_url is None:
            return None
        headers = {"accept": "application/json"}
        response = await request(
            self.name, "GET", self._options.read_url, headers=headers, accept=_MISSING
        )
        if response.status_code == 404:
            return None
        try:
            return decode(response.content, LivePointer)
        except msgspec.MsgspecError as error:
            raise PublishError(f"{self.name} reads back no live pointer: {error}") from error

    async def withdraw(self) -> None:
        """Say that nothing is live."""
        body = {"type": "live.withdrawn", "data": {"target": self.target}}
        await self._post(f"withdrawn_{self.target}_{time.time_ns()}", body)

    async def _post(self, message: str, body: dict[str, Any]) -> None:
        content = encode(body)
        headers = signed_headers(_secret(self._options.secret_env), message, content)
        await request(self.name, "POST", self._options.url, headers=headers, content=content)


def signed_headers(secret: bytes, message: str, content: bytes) -> dict[str, str]:
    """Return the headers that sign `content`: HMAC-SHA256 over id, time and body."""
    stamp = str(int(time.time()))
    mac = hmac.new(secret, f"{message}.{stamp}.".encode() + content, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }


def _secret(variable: str) -> bytes:
    value = os.environ.get(variable, "").removeprefix("whsec_")
    try:
        key = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if key:
        return key
    found = "something that is no base64" if value else "nothing"
    raise CredentialError(
        Problem(
            where=variable, message=f"expected the secret of a webhook (whsec_…); found {found}"
        )
    )


def _shown(url: str) -> str:
    """Host and path only: a query or a login in an address is often a secret."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{parts.path}" if parts.hostname else parts.path
