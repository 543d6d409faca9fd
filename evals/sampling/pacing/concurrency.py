"""How many requests an endpoint gets at once: grows while it takes them, shrinks only on 429.

The rule is AIMD with a proportional decrease: after every window of about one limit's worth of answers the limit shrinks
by half the share that was rejected, so that a lone 429 costs little and a window of nothing else halves it (the proportional decrease is
that of Alizadeh et al., "Data Center TCP (DCTCP)", 2010). It starts fast: each accepted request adds one, until the first
rejection; then it grows by one a window, or by 4 % of itself while rejections are still about.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from typing import Literal, TypeVar

from evals.records import Record

__all__ = ["AdaptiveConcurrency", "LimitChange", "thin"]

_START = 16
_SLOW_GROWTH = 0.04
_CLEAN_WINDOWS = 3
_LONGEST_HISTORY = 400

T = TypeVar("T")
Cause = Literal["start", "growth", "rejected", "paused"]


class LimitChange(Record, frozen=True, kw_only=True):
    """The limit from `at_s` (seconds since the run began) on, and why it changed."""

    at_s: float
    limit: int
    cause: Cause


class AdaptiveConcurrency:
    """The permits of one endpoint. `acquire` one before a request, tell how it went, then `release` it."""

    def __init__(self, ceiling: int, *, clock: Callable[[], float]) -> None:
        self.in_flight = 0
        self.limit = float(min(ceiling, _START))
        self.history: list[LimitChange] = []
        self.changes = 0
        self._numbers: list[int] = []  # of the changes in `history`, which is thinned out
        self._ceiling = ceiling
        self._clock = clock
        self._began = clock()
        self._threshold = float("inf")  # below it, growth is fast
        self._accepted = self._rejected = self._clean_windows = 0
        self._all_rejected = False
        self._growth_paused_for = 0  # accepted requests that do not grow the limit
        self._paused_until = 0.0
        self._waiters: deque[asyncio.Future[bool]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._aborted = False
        self._note("start")

    @property
    def full(self) -> bool:
        """True when the limit has reached its ceiling."""
        return self.limit >= self._ceiling

    async def acquire(self) -> bool:
        """Wait for a permit; False when the run stops instead."""
        if self._aborted:
            return False
        if not self._waiters and self._free():
            self.in_flight += 1
            return True
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._wake()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self.release()
            raise

    def release(self) -> None:
        """Give the permit back."""
        self.in_flight -= 1
        if self._waiters:
            self._wake()

    def abort(self) -> None:
        """Send every waiting request home; nobody gets a permit any more."""
        self._aborted = True
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(False)

    def accepted(self, *, quota_left: bool = True) -> None:
        """Note an answer. `quota_left` is False when the service says that little of its quota is left."""
        self._accepted += 1
        if self._growth_paused_for > 0:
            self._growth_paused_for -= 1
        elif quota_left and self.limit < self._ceiling and self.in_flight >= self.limit * 0.5:
            self._grow()
        if self._accepted + self._rejected >= self.limit:
            self._close_window(0.0)

    def rejected(self, wait_s: float) -> None:
        """Note a 429; `wait_s` is how long it asked to wait."""
        self._rejected += 1
        if self._accepted + self._rejected >= self.limit:
            self._close_window(wait_s)

    def server_failed(self) -> None:
        """Note an error of the server: growth pauses for the next quarter of a window."""
        # Only a 429 shrinks the limit, because only it says that there were too many requests. Errors and time-outs come in
        # bursts that have other causes; shrinking on them would leave a run slow long after the service has recovered.
        self._growth_paused_for = max(self._growth_paused_for, int(self.limit / 4) + 1)

    def since(self, number: int) -> list[LimitChange]:
        """Return the changes after the first `number` (of `changes`), as far as the history still holds them."""
        return self.history[bisect_left(self._numbers, number) :]

    def _grow(self) -> None:
        before = int(self.limit)
        if self.limit < self._threshold:
            step = 1.0
        elif self._clean_windows >= _CLEAN_WINDOWS:
            step = max(1.0 / self.limit, _SLOW_GROWTH)
        else:
            step = _SLOW_GROWTH
        self.limit = min(float(self._ceiling), self.limit + step)
        if int(self.limit) > before:
            self._note("growth")

    def _close_window(self, wait_s: float) -> None:
        rejected, total = self._rejected, self._accepted + self._rejected
        self._accepted = self._rejected = 0
        if not rejected:
            self._clean_windows += 1
            self._all_rejected = False
            return
        self._clean_windows = 0
        if rejected == total:
            self._on_all_rejected(wait_s)
            return
        self._all_rejected = False
        self.limit = max(1.0, self.limit * (1.0 - rejected / total / 2))
        self._threshold = min(self._threshold, self.limit)
        self._note("rejected")

    def _on_all_rejected(self, wait_s: float) -> None:
        """A window in which nothing was accepted: halve, and send nothing before the wait is over."""
        if not self._all_rejected:  # growth is fast again up to half of where the rejections began
            self._threshold = max(2.0, self.limit / 2)
        self._all_rejected = True
        self.limit = max(1.0, self.limit / 2)
        self._paused_until = max(self._paused_until, self._clock() + wait_s)
        self._note("paused")

    def _free(self) -> bool:
        return self.in_flight < int(self.limit) and self._clock() >= self._paused_until

    def _wake(self) -> None:
        while self._waiters and self._free():
            waiter = self._waiters.popleft()
            if not waiter.done():
                self.in_flight += 1
                waiter.set_result(True)
        pause = self._paused_until - self._clock()
        if self._waiters and pause > 0 and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(pause, self._after_pause)

    def _after_pause(self) -> None:
        self._timer = None
        self._wake()

    def _note(self, cause: Cause) -> None:
        change = LimitChange(
            at_s=round(self._clock() - self._began, 3), limit=int(self.limit), cause=cause
        )
        self.history.append(change)
        self._numbers.append(self.changes)
        self.changes += 1
        thin(self.history)
        thin(self._numbers)


def thin(history: list[T]) -> None:
    """Drop every second entry but the first once there are too many to keep."""
    if len(history) > _LONGEST_HISTORY:
        history[1:] = history[1::2]
