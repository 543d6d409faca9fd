"""GET /v1/targets/{name}/live: what is live for a target, as applications read it. Never a secret.

The ETag changes with every generation. With `If-None-Match` and `?wait=30` the answer is held back until something
changes, or the time is up (304).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from evals.errors import nearest
from evals.records import LivePointer, digest, encode
from flows.config.target import target_names
from flows.service.state import ServiceState, state_of_request

__all__ = ["LONGEST_WAIT_S", "live_pointer"]

LONGEST_WAIT_S = 60.0
_SLICE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    generation: int
    pointer: LivePointer | None

    @property
    def etag(self) -> str:
        """The generation, and a few digits of what it names: a restored backup counts the same generations again."""
        return f'"{self.generation}-{digest(self.pointer)[7:19]}"'


async def live_pointer(request: Request) -> Response:
    """Answer with the live pointer; 404 when the target is unknown or nothing is live."""
    parts, target = state_of_request(request), request.path_params["target"]
    wait_s = _wait(request)
    if wait_s is None:
        return _error(400, "bad_wait", f"expected ?wait= in seconds, 0 to {LONGEST_WAIT_S:.0f}")
    known = request.headers.get("if-none-match", "")
    waiter = parts.changes.enter() if wait_s and known and not parts.changes.full else None
    try:
        state = await asyncio.to_thread(_look, parts, target)
        if waiter is not None and state is not None and _matches(known, state.etag):
            state = await _changed(request, target, known, waiter, wait_s)
    finally:
        if waiter is not None:
            parts.changes.leave(waiter)
    return _said(parts, target, known, state)


async def _changed(
    request: Request, target: str, known: str, waiter: asyncio.Event, wait_s: float
) -> _State | None:
    """Wait for another state than the known one, at most so long and while the client is there."""
    loop, parts = asyncio.get_running_loop(), state_of_request(request)
    deadline = loop.time() + wait_s
    while True:
        waiter.clear()
        state = await asyncio.to_thread(_look, parts, target)
        if state is None or not _matches(known, state.etag):
            return state
        while not waiter.is_set():
            left = deadline - loop.time()
            if left <= 0 or await request.is_disconnected():
                return state
            try:
                await asyncio.wait_for(waiter.wait(), min(left, _SLICE_S))
            except TimeoutError:
                continue


def _look(parts: ServiceState, target: str) -> _State | None:
    pointer, generation = parts.registry.live(target), parts.registry.generation(target)
    if pointer is None and not generation and target not in _names(parts):
        return None
    if pointer is not None and pointer.generation != generation:  # it moved between the two reads
        return _look(parts, target)
    return _State(generation=generation, pointer=pointer)


def _names(parts: ServiceState) -> tuple[str, ...]:
    return tuple(sorted({*parts.registry.targets(), *target_names(parts.settings.targets)}))


def _said(parts: ServiceState, target: str, known: str, state: _State | None) -> Response:
    if state is None:
        fix = nearest(target, _names(parts))
        return _error(
            404, "unknown_target", f"there is no target '{target}'" + (f"; {fix}" if fix else "")
        )
    headers = {"ETag": state.etag, "Cache-Control": "no-cache"}
    if state.pointer is None:
        return _error(404, "nothing_live", f"nothing is live for {target}", headers)
    if _matches(known, state.etag):
        return Response(status_code=304, headers=headers)
    return Response(encode(state.pointer), media_type="application/json", headers=headers)


def _matches(known: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return etag in tags or "*" in tags


def _wait(request: Request) -> float | None:
    try:
        seconds = float(request.query_params.get("wait") or 0)
    except ValueError:
        return None
    return min(seconds, LONGEST_WAIT_S) if seconds >= 0 else None


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers=headers)
