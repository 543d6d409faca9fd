"""Requests and tokens a minute: a budget the caller sets, kept by spacing requests evenly.

A leaky bucket as a meter (the generic cell rate algorithm): one number a bucket, the time at which it would be empty. The rate
is chosen so that no 60 seconds hold more than the budget, the burst of one second included.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["RatePacer"]

_BURST_S = 1.0


class RatePacer:
    """Says how long a request has to wait so that the budget of every minute is kept."""

    def __init__(
        self,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._requests = _Bucket(requests_per_minute) if requests_per_minute else None
        self._tokens = _Bucket(tokens_per_minute) if tokens_per_minute else None
        self.unlimited = self._requests is None and self._tokens is None

    def reserve(self, tokens: int) -> float:
        """Take the place of a request of about `tokens` tokens; return the seconds until it may go."""
        now, wait = self._clock(), 0.0
        if self._requests:
            wait = self._requests.take(1, now)
        if self._tokens:
            wait = max(wait, self._tokens.take(tokens, now))
        return wait

    def settle(self, reserved: int, used: int) -> None:
        """Correct the reservation once the real number of tokens is known."""
        if self._tokens:
            self._tokens.correct(used - reserved)


class _Bucket:
    def __init__(self, per_minute: int) -> None:
        self._seconds_each = (60.0 + _BURST_S) / per_minute
        self._empty_at = 0.0

    def take(self, amount: int, now: float) -> float:
        cost = amount * self._seconds_each
        self._empty_at = max(now, self._empty_at) + cost
        return max(0.0, self._empty_at - now - max(_BURST_S, cost))

    def correct(self, amount: int) -> None:
        self._empty_at += amount * self._seconds_each
