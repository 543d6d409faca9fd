"""Hands requests to the workers of each role: in the order given, never far ahead of the other role, never all in memory."""

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
    """Splits one stream of requests by role. A role may run ahead of another by at most `lead` requests.

    Requests among those `answered(role, suite)` returns are skipped and counted in `resumed`.
    """

    def __init__(
        self,
        requests: Iterable[ModelRequest],
        lead: Mapping[Role, int],
        answered: Callable[[Role, str], AnsweredKeys],
    ) -> None:
        self.resumed: dict[Role, int] = dict.fromkeys(lead, 0)
        self.changed = WakeUp()
        self._requests = iter(requests)
        self._lead = lead
        self._answered = answered
        self._queues: dict[Role, deque[ModelRequest]] = {role: deque() for role in lead}
        self._exhausted = False

    def take(self, role: Role) -> ModelRequest | Nothing:
        """Return the role's next request, or why there is none now.

        AGAIN: let others run, then call again; BLOCKED: wait for `changed`, as another role lags behind.
        """
        queue = self._queues[role]
        if queue:
            return self._pop(role, queue)
        for _ in range(_AT_A_TIME):
            if self._exhausted:
                return EXHAUSTED
            if any(len(q) >= self._lead[r] for r, q in self._queues.items()):
                return BLOCKED
            request = self._pull()
            if request is None:
                continue
            if request.role == role:
                return request
            self._queues[request.role].append(request)
            self.changed.notify_all()
        return AGAIN

    def _pop(self, role: Role, queue: deque[ModelRequest]) -> ModelRequest:
        if len(queue) == self._lead[role] // 2:  # not at every step: all who are blocked wake up
            self.changed.notify_all()
        return queue.popleft()

    def _pull(self) -> ModelRequest | None:
        request = next(self._requests, None)
        if request is None:
            self._exhausted = True
            self.changed.notify_all()
            return None
        if request.role not in self._queues:
            raise ConfigurationError(
                Problem(
                    where="sampling",
                    message=f"no connection was given for the role {request.role!r}",
                )
            )
        keys = self._answered(request.role, request.suite)
        if keys and (request.case_id, request.repeat) in keys:
            self.resumed[request.role] += 1
            return None
        return request
