"""The webhook receiver: verified on the raw bytes, durable before it is acknowledged, acknowledged at once.

What is answered: 200 kept (or known, or of no interest), 400 not signed by a secret of ours, 408 too slow, 413 too
large, 503 not kept, so that the sender tries again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from evals.errors import ConfigurationError, CredentialError, RegistryError
from flows.platforms.fine_tuning.webhooks import WebhookEvent, WebhookRefusedError, verify_webhook
from flows.registry.store import Registry
from flows.service.dispatcher.messages import ENDED, SUCCEEDED, again_id, job_trigger
from flows.service.state import state_of_request

__all__ = ["LARGEST", "receive", "warm_up"]

LARGEST = 256 * 1024
SLOWEST_S = 15.0

_log = logging.getLogger(__name__)


class _TooLargeError(Exception):
    pass


async def receive(request: Request) -> Response:
    """POST /webhooks/{source}: take one delivery."""
    parts, source = state_of_request(request), request.url.path.rpartition("/")[2]
    try:
        async with asyncio.timeout(SLOWEST_S):
            body = await _body(request)
        event = await asyncio.to_thread(
            verify_webhook, body, dict(request.headers), parts.config.webhook_secrets
        )
    except _TooLargeError:
        return _answer(413, "too_large", f"a delivery has at most {LARGEST} bytes")
    except (TimeoutError, ClientDisconnect):
        return _answer(408, "too_slow", f"a delivery is sent within {SLOWEST_S:.0f} s")
    except WebhookRefusedError as error:
        _log.warning("refused a webhook: %s", error)
        return _answer(400, "refused", str(error))
    except CredentialError as error:
        _log.error("%s", error)
        return _answer(503, "no_secret", "the receiver has no webhook secret yet", retry_s=60)
    return await _keep(request, event, source)


async def _keep(request: Request, event: WebhookEvent, source: str) -> Response:
    if event.type not in ENDED or not event.job_id:
        return JSONResponse({"status": "ignored", "type": event.type})
    parts = state_of_request(request)
    try:
        status = await asyncio.to_thread(_put, parts.registry, event, source)
    except (RegistryError, ConfigurationError) as error:
        _log.error("a webhook could not be kept: %s", error)
        return _answer(503, "not_kept", "the inbox can't be written; send it again", retry_s=10)
    parts.dispatcher.wake()
    return JSONResponse({"status": status, "id": event.delivery_id})


def _put(registry: Registry, event: WebhookEvent, source: str) -> str:
    """Keep a message. One sent again after it was dealt with is looked at again, in case its run died since."""
    payload = msgspec.to_builtins(job_trigger(event, source))
    if registry.inbox_put(event.delivery_id, payload):
        return "kept"
    pending = {message.message_id for message in registry.inbox_pending(limit=10_000)}
    if event.type == SUCCEEDED and event.delivery_id not in pending:
        registry.inbox_put(again_id(event.delivery_id), payload)
    return "known"


async def _body(request: Request) -> bytes:
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > LARGEST:
        raise _TooLargeError
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > LARGEST:
            raise _TooLargeError
    return bytes(found)


def _answer(status: int, code: str, message: str, *, retry_s: int | None = None) -> Response:
    headers: Mapping[str, str] = {} if retry_s is None else {"Retry-After": str(retry_s)}
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers=headers)


def warm_up() -> None:
    """Load what verifying needs, which takes a second, before the first webhook waits for it."""
    try:
        verify_webhook(
            b"{}",
            {"webhook-id": "none", "webhook-timestamp": "0", "webhook-signature": "v1,none"},
            ["whsec_bm9uZQ=="],
        )
    except WebhookRefusedError:
        return
