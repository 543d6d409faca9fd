"""One request of a publisher, with every failure of the network turned into a PublishError."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from evals.addresses import http_options
from evals.errors import ConfigurationError, PublishError

__all__ = ["request"]

_TIMEOUT_S = 10.0


async def request(
    name: str,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    content: bytes | None = None,
    accept: frozenset[int] = frozenset(),
) -> httpx.Response:
    """Send one request; redirects are not followed, so that a signed body goes nowhere else.

    Raises PublishError on a failed connection, and on a status that is neither 2xx nor in `accept`. Never shows headers.
    """
    try:
        options = http_options(url)
        async with httpx.AsyncClient(
            timeout=_TIMEOUT_S, follow_redirects=False, **options
        ) as client:
            response = await client.request(method, url, headers=dict(headers), content=content)
    except ConfigurationError as error:
        raise PublishError(f"{name} can't be reached: {error}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PublishError(
            f"{name} can't be reached: {type(error).__name__} {error}".rstrip()
        ) from error
    if response.is_success or response.status_code in accept:
        return response
    body = response.text[:200].strip()
    raise PublishError(f"{name} answered {response.status_code}" + (f": {body}" if body else ""))
