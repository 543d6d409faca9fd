"""Deadlines, and how long to wait before asking again: the server's word first, then our own growing pauses."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["Deadline", "PollingPace", "growing_pause", "retry_after", "telling_of_waits"]

_log = logging.getLogger(__name__)
TELL_EVERY_S = 10.0
"""How often a wait that goes on is reported, in seconds."""

Tell = Callable[[str], object]
_tell: ContextVar[Tell] = ContextVar("tell_of_waits", default=_log.info)


@contextmanager
def telling_of_waits(tell: Tell) -> Iterator[None]:
    """Call `tell` every ten seconds with what a block waits for, for how long, and when the wait is given up."""
    token = _tell.set(tell)
    try:
        yield
    finally:
        _tell.reset(token)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingPace:
    """How patient a client is; everything in seconds.

    `poll` is the pause between two looks at an operation when the server names none; `attempts` counts the tries of one
    request that meets a passing fault.
    """

    request: float = 60.0
    poll: float = 10.0
    probe: float = 5.0
    deploy: float = 45 * 60.0
    delete: float = 20 * 60.0
    ready: float = 20 * 60.0
    attempts: int = 6
    first_pause: float = 0.8

    def ready_within(self, seconds: float | None) -> PollingPace:
        """The same pace with another limit for a deployment to answer; None leaves it."""
        return self if seconds is None else replace(self, ready=seconds)


class Deadline:
    """A moment on the monotonic clock after which a wait is given up. `what` is waited for, in a few words."""

    def __init__(self, seconds: float, what: str = "") -> None:
        self.seconds, self._what = seconds, what
        self._end = time.monotonic() + seconds
        self._told = 0.0

    @property
    def left(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.left <= 0.0

    async def pause(self, seconds: float, seen: str = "") -> bool:
        """Sleep and return True; return False at once when the deadline comes before the pause is over.

        `seen` is what was found instead of what is waited for.
        """
        if seconds >= self.left:
            return False
        self._say(seen)
        _log.debug("waits %.1f s; gives up in %.0f s", seconds, self.left)
        await asyncio.sleep(seconds)
        return True

    def _say(self, seen: str) -> None:
        waited = self.seconds - self.left
        if not self._what or waited - self._told < TELL_EVERY_S:
            return
        self._told = waited
        why = f": {seen}" if seen else ""
        _tell.get()(
            f"waiting for {self._what}, {waited:.0f} s so far, given up after {self.seconds:.0f} s{why}"
        )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds the server asks to wait (as milliseconds, seconds or a date), None when it asks nothing usable."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = _number(headers.get(name))
        if milliseconds is not None:
            return milliseconds / 1000.0
    text = headers.get("retry-after")
    seconds = _number(text)
    return seconds if seconds is not None else _until(text)


def growing_pause(attempt: int, first: float, longest: float = 30.0) -> float:
    """Return the pause before try `attempt + 1`: doubling from `first` seconds, with jitter of a quarter."""
    return float(min(longest, first * 2.0**attempt)) * random.uniform(0.75, 1.0)  # noqa: S311 - no secret


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        return None
    # -1 is sent by services that have nothing to say; infinities and NaN are refused alike
    return value if 0.0 <= value < float("inf") else None


def _until(text: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
