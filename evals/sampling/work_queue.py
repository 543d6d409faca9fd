"""Hands asks to the workers of each role: in the order given, never far ahead of the other role, never all in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from evals.errors import ConfigurationError, Problem
from evals.records import Role
from evals.sampling.journal.keys import AnsweredKeys
from evals.sampling.pacing.interruptible_sleep import WakeUp
from evals.sampling.request_spec import ModelRequest

__all__ = ["AGAIN", "BLOCKED", "EXHAUSTED", "WorkQueue"]

AGAIN: Final = "again"
BLOCKED: Final = "blocked"
EXHAUSTED: Final = "exhausted"
_AT_A_TIME = 1000

Nothing = Literal["again", "blocked", "exhausted"]


class WorkQueue:
    """Splits one stream of asks by role. A role may run ahead of another by at most `lead` asks.

    Asks among those `settled(role, suite)` returns are skipped and counted in `resumed`.
    """

    def __init__(
        self,
        asks: Iterable[ModelRequest],
        lead: Mapping[Role, int],
        settled: Callable[[Role, str], AnsweredKeys],
    ) -> None:
        self.resumed: dict[Role, int] = dict.fromkeys(lead, 0)
        self.moved = WakeUp()
        self._asks = iter(asks)
        self._lead = lead
        self._settled = settled
        self._queues: dict[Role, deque[ModelRequest]] = {role: deque() for role in lead}
        self._exhausted = False

    def take(self, role: Role) -> ModelRequest | Nothing:
        """Return the role's next ask, or why there is none now.

        AGAIN: let others run, then call again; BLOCKED: wait until `moved` rings, as another role lags behind.
        """
        queue = self._queues[role]
        if queue:
            return self._pop(role, queue)
        for _ in range(_AT_A_TIME):
            if self._exhausted:
                return EXHAUSTED
            if any(len(q) >= self._lead[r] for r, q in self._queues.items()):
                return BLOCKED
            ask = self._pull()
            if ask is None:
                continue
            if ask.role == role:
                return ask
            self._queues[ask.role].append(ask)
            self.moved.ring()
        return AGAIN

    def _pop(self, role: Role, queue: deque[ModelRequest]) -> ModelRequest:
        if len(queue) == self._lead[role] // 2:  # not at every step: all who are blocked wake up
            self.moved.ring()
        return queue.popleft()

    def _pull(self) -> ModelRequest | None:
        ask = next(self._asks, None)
        if ask is None:
            self._exhausted = True
            self.moved.ring()
            return None
        if ask.role not in self._queues:
            raise ConfigurationError(
                Problem(
                    where="sampling", message=f"no connection was given for the role {ask.role!r}"
                )
            )
        keys = self._settled(ask.role, ask.suite)
        if keys and (ask.case_id, ask.repeat) in keys:
            self.resumed[ask.role] += 1
            return None
        return ask
