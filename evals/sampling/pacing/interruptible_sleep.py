"""Waiting that can be cut short."""

from __future__ import annotations

import asyncio

__all__ = ["WakeUp"]


class WakeUp:
    """Wakes everybody who waits for it; those who come later wait for the next call."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify_all(self) -> None:
        """Wake all who wait now."""
        if self._waiting:
            for waiter in self._waiting:
                if not waiter.done():
                    waiter.set_result(None)

    async def wait(self, seconds: float | None = None) -> None:
        """Wait for the next `notify_all`, at most `seconds`."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting.add(waiter)
        timer = None if seconds is None else loop.call_later(max(0.0, seconds), _finish, waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)
            if timer:
                timer.cancel()


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
