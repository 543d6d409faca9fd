"""The outermost layer of the application: it injects faults and writes the request log.

Faults act before anything else looks at the request: a status, a throttle, latency, a hang, a connection reset, or an
answer that is cut off in the middle.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from flows.emulator.gateway.refusals import refused
from flows.emulator.state.emulator_state import EmulatorState, LogEntry
from flows.emulator.switches import Fault

__all__ = ["FaultMiddleware"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_SECRET_HEADERS = {"authorization", "api-key", "x-ms-authorization-auxiliary"}
_LOGGED_BODY = 64_000


class FaultMiddleware:
    """ASGI layer around the whole application."""

    def __init__(self, app: App, state: EmulatorState) -> None:
        self.app, self.state = app, state

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or let an injected fault break it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body: list[bytes] = []
        logged = scope["path"].startswith("/_emulator")

        async def listening() -> Message:
            message = await receive()
            body.append(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            nonlocal logged
            if message["type"] == "http.response.start" and not logged:
                logged = True  # before it is sent: who has the answer finds its request in the log
                self._log_request(scope, b"".join(body), message["status"])
            await send(message)

        if not await self._inject(scope, receive, sending):
            await self.app(scope, listening, sending)
        if not logged:  # nothing was answered
            self._log_request(scope, b"".join(body), 0)

    async def _inject(self, scope: Message, receive: Receive, send: Send) -> bool:
        """Apply the faults that match; say whether one of them answered (or ended the connection)."""
        line = f"{scope['method']} {scope['path']}"
        for number, fault in enumerate(self.state.switches.faults):
            if fault.match in line and self._applies(number, fault):
                if fault.kind == "latency":
                    await asyncio.sleep(fault.latency_s)
                    continue
                await _break(fault, scope, receive, send)
                return True
        return False

    def _applies(self, number: int, fault: Fault) -> bool:
        seen = self.state.count(f"fault-{number}-seen")
        if seen < fault.skip or not self.state.chance(f"fault-{number}", fault.rate, seen):
            return False
        return fault.times is None or self.state.count(f"fault-{number}-hits") < fault.times

    def _log_request(self, scope: Message, body: bytes, status: int) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name.decode("latin-1") not in _SECRET_HEADERS
        }
        self.state.log.append(
            LogEntry(
                at=self.state.clock.now(), method=scope["method"], path=scope["path"],
                query=re.sub(r"(sig|key)=[^&]*", r"\1=…", scope["query_string"].decode("latin-1")),
                status=status, headers=headers, body=body[:_LOGGED_BODY],
            )
        )  # fmt: skip


async def _break(fault: Fault, scope: Message, receive: Receive, send: Send) -> None:
    if fault.kind == "hang":
        await asyncio.sleep(fault.latency_s or 3600.0)
        _abort(receive)
    elif fault.kind == "reset":
        _abort(receive)
    elif fault.kind == "cut":
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": "chatcmpl-', "more_body": True})
        _abort(receive)
    else:
        await _answer(fault, scope, receive, send)


async def _answer(fault: Fault, scope: Message, receive: Receive, send: Send) -> None:
    sent = await _body(receive) if fault.kind == "refusal" else b""
    status, said = _said(fault, scope, sent)
    text = isinstance(said, str)
    body = said.encode() if text else msgspec.json.encode(said)
    headers = [
        (b"content-type", b"text/html" if text else b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-ms-request-id", str(uuid.uuid4()).encode()),
    ]
    if fault.retry_after is not None:
        headers.append((b"retry-after", str(fault.retry_after).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _said(fault: Fault, scope: Message, sent: bytes) -> tuple[int, Any]:
    """Status and body of a fault that is answered; a refusal is about what was `sent`."""
    if fault.kind == "refusal":
        return refused(fault.code or "", scope["method"], scope["path"], sent)
    status = 429 if fault.kind == "throttle" else fault.status
    if fault.body is not None:
        return status, fault.body
    code = fault.code or str(status)
    return status, {"error": {"code": code, "message": f"Injected fault: {status}."}}


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _abort(receive: Receive) -> None:
    """Close the connection under the client; the server's own receive method knows its transport."""
    cycle = getattr(receive, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is not None:
        transport.abort()
