"""The emulator's own time: the wall clock plus an offset that tests advance, so that 15 days pass at once.

The offset is kept in the state folder: after a restart the emulator goes on in its own time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from flows.emulator.state.store import Store

__all__ = ["Clock", "iso"]


def iso(moment: float) -> str:
    """Return a time of the clock as UTC, ISO 8601 with microseconds and 'Z', as ARM writes it."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


class Clock:
    """Seconds since the epoch, which can be moved forward. Sleepers wake when it is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._offset = store.fact("clock-offset")
        self._sleepers: set[Callable[[], None]] = set()

    @property
    def offset(self) -> float:
        """Seconds by which the emulator is ahead of the wall clock."""
        return self._offset

    def now(self) -> float:
        """Return the emulator's time, seconds since the epoch."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> float:
        """Move the time forward and return it. Raises ValueError when asked to go back."""
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        self._offset += seconds
        self._store.set_fact("clock-offset", self._offset)
        for wake in tuple(self._sleepers):
            wake()
        return self.now()

    async def sleep_until(self, moment: float, interrupt: asyncio.Event | None = None) -> None:
        """Wait until the emulator's time has come, or `interrupt` is set."""
        loop, moved = asyncio.get_running_loop(), interrupt or asyncio.Event()

        def wake() -> None:  # may be called from a test's own thread
            loop.call_soon_threadsafe(moved.set)

        self._sleepers.add(wake)
        try:
            while (left := moment - self.now()) > 0:
                try:
                    await asyncio.wait_for(moved.wait(), min(left, 3600.0))
                except TimeoutError:
                    continue
                if interrupt is not None:
                    return
                moved.clear()
        finally:
            self._sleepers.discard(wake)

    async def sleep(self, seconds: float) -> None:
        """Wait for some seconds of the emulator's time."""
        if seconds > 0:
            await self.sleep_until(self.now() + seconds)
