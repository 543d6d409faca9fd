"""How many connections the service takes, and how long one may take: uvicorn's HTTP/1.1 protocol with limits of its own.

A connection either waits for the service (a request it sent whole is being answered) or is waited for (for the rest of
a request, for the next one, to read its answer). Waiting for the service is free; being waited for ends:

    the head of a request is not there in time  ──▶ 408, closed
    an answer is not read in time               ──▶ closed
    one connection too many                     ──▶ the one that is waited for longest makes room; when all are being
                                                    answered, the new one gets 503

So half-sent requests, however many, cost the next honest one nothing.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from contextlib import suppress
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["BACKLOG", "LimitedProtocol", "limited_to", "most_connections", "raise_file_limit"]

BACKLOG = 128
"""Connections that the kernel may hand over at once; asyncio takes all of them before the first is counted."""
_RESERVED = 256
"""Open files that are left for those, the registry, the logs and the clients."""
_WANTED = 2000
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\n"
    b"connection: close\r\n\r\n"
)

_log = logging.getLogger(__name__)


class LimitedProtocol(H11Protocol):
    """One connection. Subclass it to set other limits; times in seconds."""

    most: ClassVar[int] = 700
    head_s: ClassVar[float] = 10.0
    read_s: ClassVar[float] = 30.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self._waited_since = self.loop.time()

    @property
    def is_answering(self) -> bool:
        """True from when the head of a request is there until the last of its answer is written."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def is_waited_for(self) -> bool:
        """True when the service has nothing to do for it: no request is there whole."""
        return not self.is_answering or bool(self.cycle.more_body)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, or make room for it, or turn it away."""
        crowd = [one for one in self.connections if isinstance(one, LimitedProtocol)]
        super().connection_made(transport)
        if len(crowd) >= self.most and not self._make_room(crowd):
            _log.warning("turned a connection away: %d are being answered", len(crowd))
            self._close(_FULL)
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._cancel("_deadline")
        self._cancel("_stuck")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Go on with a request, whose head has to be there in time."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.is_answering:
            self._cancel("_deadline")
        elif self._deadline is None:
            self._expect_head()

    def on_response_complete(self) -> None:
        """Wait for the next request; uvicorn counts that time."""
        self._waited_since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The other side does not read: not for ever."""
        super().pause_writing()
        self._cancel("_stuck")
        self._stuck = self.loop.call_later(self.read_s, self._give_up)

    def resume_writing(self) -> None:
        """It reads again."""
        self._cancel("_stuck")
        super().resume_writing()

    def _expect_head(self) -> None:
        self._waited_since = self.loop.time()
        self._deadline = self.loop.call_later(self.head_s, self._too_slow)

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.is_answering and not self.transport.is_closing():
            _log.warning("closed a connection: no whole request in %.0f s", self.head_s)
            self._close(_TOO_SLOW)

    def _give_up(self) -> None:
        _log.warning("closed a connection: its answer was not read in %.0f s", self.read_s)
        self.transport.abort()

    def _make_room(self, crowd: list[LimitedProtocol]) -> bool:
        """Close the connection that is waited for longest; False when there is none."""
        idle = [one for one in crowd if one.is_waited_for and not one.transport.is_closing()]
        if not idle:
            return False
        longest = min(idle, key=lambda one: one._waited_since)
        _log.warning("closed a connection that sent nothing whole: %d are open", len(crowd))
        longest.transport.abort()
        self.connections.discard(longest)
        return True

    def _close(self, last_words: bytes) -> None:
        with suppress(OSError):
            self.transport.write(last_words)
        self.transport.close()

    def _cancel(self, name: str) -> None:
        timer: asyncio.TimerHandle | None = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)


def raise_file_limit() -> None:
    """Let this process open as many files as it wants connections, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED + _RESERVED
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def limited_to(most: int) -> type[LimitedProtocol]:
    """Return the protocol for so many connections at once."""

    class Limited(LimitedProtocol):
        pass

    Limited.most = most
    return Limited


def most_connections() -> int:
    """Return how many connections this process can serve at once by its limit on open files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = _WANTED if soft == resource.RLIM_INFINITY else soft - _RESERVED
    return max(64, min(_WANTED, free))
