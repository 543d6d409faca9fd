"""One chat request to a slot past the SDK, whose import alone takes longer than a rollback may. Never retried here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx

from evals.addresses import http_options
from evals.errors import CredentialError, PlatformError
from evals.sampling.endpoint.error_bodies import decoded, read_fault
from flows.platforms.asking.service_words import NO_API
from flows.platforms.base import Connection
from flows.platforms.data_plane import DataPlane

__all__ = ["SlotClient"]

_MOST_TOKENS = 16


class SlotClient:
    """Asks what stands behind a connection, on the very address that applications use.

    Used as an asynchronous context manager; `timeout_s` is how long one answer may take, in seconds.
    """

    def __init__(self, plane: DataPlane, connection: Connection, *, timeout_s: float) -> None:
        self._plane, self._connection = plane, connection
        base = connection.endpoint.base_url
        self._http = httpx.AsyncClient(timeout=timeout_s, **http_options(base))

    async def __aenter__(self) -> SlotClient:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def ping(self, question: str = "ping") -> dict[str, Any]:
        """Return what the slot answers to a tiny question: a completion, decoded.

        Raises PlatformError or CredentialError as `DataPlane.ask` does; its cause holds the answer where there was one.
        """
        doing = f"ask {self._connection.endpoint.model}"
        try:
            answer = await self._send(question)
            if answer.status_code == 401 and self._plane.renew():
                answer = await self._send(question)
        except httpx.TransportError as error:
            raise self._plane.unanswered(error, doing) from error
        try:
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise self._refused(answer, doing) from error
        completion = _json(answer)
        if not isinstance(completion, dict):
            raise PlatformError(
                f"could not {doing}: {self._plane.address} answered something that is no completion",
                hint=NO_API,
            )
        return completion

    async def _send(self, question: str) -> httpx.Response:
        endpoint = self._connection.endpoint
        asked = [{"role": "user", "content": question}]
        return await self._http.post(
            f"{endpoint.base_url}/chat/completions",
            json={
                "model": endpoint.model,
                "messages": asked,
                "max_completion_tokens": _MOST_TOKENS,
            },
            params={"api-version": endpoint.api_version} if endpoint.api_version else {},
            headers=dict(await self._connection.auth()),
        )

    def _refused(self, answer: httpx.Response, doing: str) -> PlatformError | CredentialError:
        fault = read_fault(decoded(answer.content))
        if not fault.code and not fault.message:
            fault = replace(fault, message=answer.reason_phrase)
        return self._plane.refused(answer.status_code, fault, answer.headers, doing)


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
