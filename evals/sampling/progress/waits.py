"""What requests wait for, in one sentence every half minute: what the service answered, since when, and the next try."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from evals.records import Role

if TYPE_CHECKING:
    from evals.sampling.role_state import RoleState

__all__ = ["TELL_EVERY_S", "HeldUp", "moment_in", "wait_telling"]

_log = logging.getLogger(__name__)
TELL_EVERY_S = 30.0
"""How often a wait that goes on is reported, in seconds; a shorter wait is not reported."""


def moment_in(seconds: float) -> str:
    """Return the moment so many seconds from now, as people read it."""
    return f"{datetime.now(UTC) + timedelta(seconds=max(0.0, seconds)):%Y-%m-%d %H:%M:%S} UTC"


async def wait_telling(seconds: float, tell: Callable[[float], object]) -> None:
    """Sleep; `tell` is called with the seconds left at the beginning and every `TELL_EVERY_S`."""
    until = time.monotonic() + seconds
    while True:
        left = max(0.0, until - time.monotonic())
        tell(left)
        if left <= TELL_EVERY_S:
            return await asyncio.sleep(left)
        await asyncio.sleep(TELL_EVERY_S)


class HeldUp:
    """Watches the roles of a run, and keeps the note on those whose requests have waited for long."""

    def __init__(self) -> None:
        self.note = ""
        self._since: dict[Role, float] = {}
        self._told_at = float("-inf")

    def look(self, states: Mapping[Role, RoleState], now: float) -> str:
        """Return the note of this moment, "" when nobody has waited for long; `now` is on the run's clock."""
        waiting = {role: state for role, state in states.items() if state.waiting_retries}
        self._since = {role: self._since.get(role, now) for role in waiting}
        long = [role for role, since in self._since.items() if now - since >= TELL_EVERY_S]
        if not long:
            self.note = ""
        elif not self.note or now - self._told_at >= TELL_EVERY_S:
            self._told_at = now
            self.note = "; ".join(
                _sentence(role, waiting[role], now - self._since[role], now) for role in long
            )
            _log.info("%s", self.note)
        return self.note


def _sentence(role: Role, state: RoleState, waited_s: float, now: float) -> str:
    number = state.waiting_retries
    requests = f"{number:,} requests" if number > 1 else "1 request"
    return (
        f"waiting for {state.endpoint.model} ({role}), {waited_s:.0f} s so far: {requests} met"
        f" {state.held_up_by or 'no answer'}; the next try is at {moment_in(state.next_retry_in(now))}, and a request is given up"
        f" after {state.settings.max_attempts} tries"
    )
