"""Is the process alive, and can it do its work: for supervisors and load balancers, without a credential."""

from __future__ import annotations

import asyncio
import logging

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from evals.errors import GatewrightError
from flows.service.dispatcher.timing import STUCK_AFTER
from flows.service.state import state_of_request

__all__ = ["UNREACHABLE", "alive", "ready"]

UNREACHABLE = "the registry can't be read now; the log of the service says why"
"""What strangers are told: the error itself names host, user and database."""

_log = logging.getLogger(__name__)


async def alive(request: Request) -> Response:
    """GET /healthz: the process answers."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """GET /readyz: the registry can be read. A Prefect server that is down hinders nothing: the inbox keeps."""
    parts = state_of_request(request)
    try:
        async with asyncio.timeout(5):
            pending = await asyncio.to_thread(parts.registry.inbox_pending, limit=1000)
    except (GatewrightError, TimeoutError) as error:
        _log.error("not ready: %s", str(error) or "the registry did not answer within 5 s")
        return JSONResponse({"status": "unavailable", "registry": UNREACHABLE}, 503)
    stuck = sum(message.attempts >= STUCK_AFTER for message in pending)
    return JSONResponse(
        {
            "status": "ready",
            "registry": "ok",
            "prefect": "set" if parts.config.prefect_url else "not set",
            "inbox": {"pending": len(pending), "stuck": stuck},
        }
    )
