"""Tells those who wait that something in the registry changed; one small read serves them all.

Promotions happen in other processes, so the registry itself is asked: the number of its newest event moves with every
change, whoever made it. Nobody waiting, nothing is asked.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from evals.errors import GatewrightError
from flows.registry.store import Registry

__all__ = ["ChangeFeed"]


class ChangeFeed:
    """Wakes waiters when the registry changes."""

    def __init__(self, registry: Registry, *, every_s: float = 0.25, most: int = 1000) -> None:
        self._registry, self._every_s, self._most = registry, every_s, most
        self._waiters: set[asyncio.Event] = set()
        self._wanted = asyncio.Event()

    @property
    def full(self) -> bool:
        """True when so many wait that another one is not taken."""
        return len(self._waiters) >= self._most

    def enter(self) -> asyncio.Event:
        """Return an event that is set at every change from now on; hand it back with `leave`."""
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        self._wanted.set()
        return waiter

    def leave(self, waiter: asyncio.Event) -> None:
        """Stop waiting."""
        self._waiters.discard(waiter)

    async def run(self) -> None:
        """Look for changes for ever."""
        seen = -1
        while True:
            if not self._waiters:
                self._wanted.clear()
                await self._wanted.wait()
            # A registry that can't be read is no change; whoever waits asks it again when its time is up.
            with suppress(GatewrightError):
                newest, _hash = await asyncio.to_thread(self._registry.chain_head)
                if newest != seen:
                    seen = newest
                    self._wake_all()
            await asyncio.sleep(self._every_s)

    def _wake_all(self) -> None:
        for waiter in tuple(self._waiters):
            waiter.set()
