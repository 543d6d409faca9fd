"""Whether anything listens where a platform should answer: one connection, a few seconds, no retries."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable

from evals.addresses import origin, proxy_for
from flows.platforms.base import Finding

__all__ = ["unreachable"]

PATIENCE_S = 3.0


async def unreachable(
    addresses: Iterable[str], *, fix: str, patience_s: float = PATIENCE_S
) -> Finding | None:
    """Return what is wrong when nothing takes a connection at one of these addresses; None when all do.

    An address that is asked through a proxy is not tried: only the proxy could say.
    """
    for address in dict.fromkeys(_origin(one) for one in addresses if proxy_for(one) is None):
        why = await _refusal(*address, patience_s)
        if why:
            return Finding(
                name="platform",
                level="fail",
                message=f"nothing answers at {address[0]}:{address[1]} ({why})",
                fix=fix,
                outside=True,
            )
    return None


async def _refusal(host: str, port: int, patience_s: float) -> str:
    try:
        async with asyncio.timeout(patience_s):
            _reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"no connection within {patience_s:g} s"
    except OSError as error:
        code = error.errno or 0
        known = os.strerror(code) if code > 0 else error.strerror
        return (known or str(error)).lower()
    writer.close()
    return ""


def _origin(address: str) -> tuple[str, int]:
    _scheme, host, port = origin(address)
    return host, port or 80
