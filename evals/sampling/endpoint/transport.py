"""One HTTP request to a model: bytes out, bytes in. No retries, no meaning; thin, because it runs for every answer."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self

import aiohttp
from yarl import URL

from evals.addresses import proxy_for
from evals.errors import ConfigurationError, SamplingError
from evals.records import Outcome

__all__ = ["HttpAnswer", "Route", "Transport", "TransportFailure"]

_LARGEST_BODY = 64 * 1024 * 1024


class HttpAnswer(NamedTuple):
    """What came back; `headers` finds names in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TransportFailure(Exception):  # noqa: N818 - an outcome of one attempt, never raised to callers
    """No whole answer came. When `connected`, the service may have worked all the same."""

    def __init__(self, outcome: Outcome, code: str, message: str, *, connected: bool) -> None:
        self.outcome = outcome
        self.code = code
        self.connected = connected
        super().__init__(message)


class Route:
    """Where the requests of a role go and how long they may take. Raises SamplingError for what is no web address."""

    def __init__(self, url: str, timeout_s: float, connect_timeout_s: float) -> None:
        try:
            self.proxy = proxy_for(url)  # once, as looking it up for each request is slow
        except ConfigurationError as error:
            raise SamplingError(str(error)) from error
        self.url = URL(url, encoded=True)
        self.timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=connect_timeout_s)


class Transport:
    """A pool of connections, shared by all roles. How many are open is the limiter's business."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def post(self, route: Route, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Send a request and read the whole answer. Raises TransportFailure."""
        try:
            async with self._session.post(
                route.url,
                data=body,
                headers=headers,
                timeout=route.timeout,
                proxy=route.proxy,
                allow_redirects=False,  # a redirect would carry the credential elsewhere
            ) as response:
                return HttpAnswer(response.status, response.headers, await _read(response))
        except TimeoutError as error:
            connecting = isinstance(error, aiohttp.ConnectionTimeoutError)
            raise TransportFailure(
                "timed_out",
                "connect_timeout" if connecting else "timeout",
                f"no answer within {route.timeout.sock_connect if connecting else route.timeout.total} s",
                connected=not connecting,
            ) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            connecting = isinstance(error, aiohttp.ClientConnectorError)
            raise TransportFailure(
                "connection_error",
                type(error).__name__,
                str(error) or type(error).__name__,
                connected=not connecting,
            ) from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    announced = response.content_length
    if announced is not None and announced <= _LARGEST_BODY:
        return await response.read()
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > _LARGEST_BODY:
            raise aiohttp.ClientPayloadError("the answer is larger than any answer can be")
        chunks.append(chunk)
    return b"".join(chunks)
