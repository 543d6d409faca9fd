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
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Self

from evals.report.numbers import duration
from evals.sampling.progress import waits

__all__ = [
    "Deadline",
    "PollingPace",
    "growing_pause",
    "logging_waits",
    "retry_after",
    "tell_of_wait",
    "telling_of_waits",
    "utc",
]

_log = logging.getLogger(__name__)
TELL_EVERY_S = waits.TELL_EVERY_S
"""How often a wait that goes on is reported, in seconds."""

_LONGEST_SHOWN_S = 10 * 365 * 86400.0

Tell = Callable[[str], object]


def _nobody(_sentence: str) -> None:
    """Where no terminal is, nothing is shown."""


_shown: ContextVar[Tell] = ContextVar("shows_waits", default=_nobody)
_logged: ContextVar[tuple[Tell, ...]] = ContextVar("logs_waits", default=())


@contextmanager
def telling_of_waits(tell: Tell) -> Iterator[None]:
    """Show by `tell`, instead of what showed it before, what a block waits for: every thirty seconds why and until when."""
    token = _shown.set(tell)
    try:
        yield
    finally:
        _shown.reset(token)


@contextmanager
def logging_waits(tell: Tell) -> Iterator[None]:
    """Write what a block waits for to one more log, besides what shows it and the log of this module."""
    token = _logged.set((*_logged.get(), tell))
    try:
        yield
    finally:
        _logged.reset(token)


def tell_of_wait(sentence: str) -> None:
    """Tell of a wait wherever waits are shown and logged."""
    _log.info("%s", sentence)
    for tell in (_shown.get(), *_logged.get()):
        tell(sentence)


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

    def within(self, *, ready: float | None = None, deploy: float | None = None) -> PollingPace:
        """The same pace with another limit for a deployment to answer, and to be made before that; None leaves it."""
        return replace(
            self,
            ready=self.ready if ready is None else ready,
            deploy=self.deploy if deploy is None else deploy,
        )


class Deadline:
    """A moment on the monotonic clock after which a wait is given up. `what` is waited for, in a few words.

    Used as an asynchronous context manager it tells of the wait every `TELL_EVERY_S` while the block lasts, whatever the
    block is held up by: what was last seen, since when, and when it is given up.
    """

    def __init__(self, seconds: float, what: str = "") -> None:
        self.seconds, self._what, self._seen = seconds, what, ""
        self._told, self._again = "", ""
        self._end = time.monotonic() + seconds
        self._given_up = datetime.now(UTC) + timedelta(seconds=min(seconds, _LONGEST_SHOWN_S))
        self._telling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._what:
            self._telling = asyncio.create_task(self._tell_often())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    @property
    def left(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.left <= 0.0

    def note(self, seen: str) -> None:
        """Take down what was found instead of what is waited for."""
        self._seen, self._again = seen, ""

    async def pause(self, seconds: float, seen: str = "", again: str = "") -> bool:
        """Sleep and return True; return False at once when the deadline comes before the pause is over.

        `seen` is what was found instead of what is waited for; `again` says it shorter, once it has been told.
        """
        if seen:
            self._seen, self._again = seen, again
        if seconds >= self.left:
            return False
        _log.debug("waits %.1f s; gives up in %.0f s", seconds, self.left)
        await asyncio.sleep(seconds)
        return True

    async def _tell_often(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            seen = (self._again or self._seen) if self._told == self._seen else self._seen
            self._told = self._seen
            why = f": {seen}" if seen else ""
            waited = _so_far(self.seconds - self.left)
            try:
                tell_of_wait(
                    f"waiting for {self._what}, {waited} so far{why}; given up at {utc(self._given_up)}"
                )
            except Exception as error:  # what can't be shown is no reason to stop waiting
                _log.warning("a wait could not be shown: %s", error)


def _so_far(seconds: float) -> str:
    """Whole seconds: tenths of a wait are noise, and a minute has none."""
    whole = seconds if seconds < 1 else round(seconds)
    return f"{whole} s" if 1 <= whole < 60 else duration(whole)


def utc(moment: datetime) -> str:
    """Return a moment as people read it, in UTC to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


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
