"""Reads what a form of our pages sent: small, in time, and from one of our own pages."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

from starlette.requests import ClientDisconnect, Request

from evals.addresses import same_address
from evals.errors import RefusedError

__all__ = ["read_form", "same_origin"]

_LARGEST = 16 * 1024
_SLOWEST_S = 15.0


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form. Raises RefusedError when it is none, too large, too slow or can't be read."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise RefusedError("expected a form")
    try:
        async with asyncio.timeout(_SLOWEST_S):
            body = await _body(request)
    except (TimeoutError, ClientDisconnect) as error:
        raise RefusedError(f"a form is sent within {_SLOWEST_S:.0f} s") from error
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise RefusedError("the form can't be read") from error
    return {name: values[-1] for name, values in fields.items()}


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise RefusedError("the form is too large")
    return bytes(body)


def same_origin(request: Request, origin: str) -> bool:
    """Return whether a form came from a page of ours, as the browser tells; a sender that tells nothing is not ours."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    stated = request.headers.get("origin")
    if stated is None:
        return site == "same-origin"
    host = request.headers.get("host", "")
    here = f"{urlsplit(stated).scheme}://{host}"
    ours = bool(origin) and same_address(stated, origin)
    return ours or (bool(host) and same_address(stated, here))
