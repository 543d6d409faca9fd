"""The state all roles of a sampling run share, and the ways it can end early."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from functools import partial
from time import time

from evals.records import Price, Response, Role, Usage
from evals.sampling.budget import Budget, cost_usd
from evals.sampling.endpoint.transport import Transport
from evals.sampling.journal.entries import Entry, History, decode_entry, encode_entry
from evals.sampling.journal.journal import Journal
from evals.sampling.journal.keys import AnsweredKeys
from evals.sampling.pacing.interruptible_sleep import WakeUp
from evals.sampling.redaction import Redactor
from evals.sampling.request_spec import ModelRequest
from evals.sampling.response_store import ResponseStore
from evals.sampling.role_state import PendingRequest, RoleState
from evals.sampling.summary import SamplingSummary, StopReason

__all__ = ["Run"]

_log = logging.getLogger(__name__)


class Run:
    """One call of `sample`."""

    def __init__(
        self,
        *,
        lanes: Mapping[Role, RoleState],
        journal: Journal,
        budget: Budget,
        store: ResponseStore | None,
        transport: Transport,
        redactor: Redactor,
        on_response: Callable[[ModelRequest, Response], None] | None,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.lanes = lanes
        self.journal = journal
        self.budget = budget
        self.store = store
        self.transport = transport
        self.redactor = redactor
        self.clock = clock
        self.rng = rng
        self.began = clock()
        self.first_request_at: float | None = None
        self.stopped: StopReason | None = None
        self.reason = ""
        self.failure: Exception | None = None
        self.written = WakeUp()
        self.note: Callable[[], None] = _nothing  # writes the account
        self._on_response = on_response
        self._settled: dict[tuple[Role, str], AnsweredKeys] = {}
        self._rings: list[Callable[[], None]] = [budget.settled.ring]

    @property
    def stopping(self) -> bool:
        """True when no further request may be begun."""
        return self.stopped is not None or self.failure is not None

    def on_stop(self, ring: Callable[[], None]) -> None:
        """Have `ring` called when the run stops early."""
        self._rings.append(ring)

    def stop(self, why: StopReason, reason: str) -> None:
        """End cleanly: what is in flight is still received and kept."""
        if not self.stopping:
            self.stopped, self.reason = why, reason
            _log.info("asks nothing more: %s", reason)
            self._wake_all()

    def fail(self, error: Exception) -> None:
        """End with an error, after what is in flight was received and kept. The first error counts."""
        if self.failure is None:
            self.failure = error
            _log.info("asks nothing more: %s", error)
            self._wake_all()

    def settled(self, role: Role, suite: str) -> AnsweredKeys:
        """Return the keys an earlier process settled; the first time, count what that process spent."""
        keys = self._settled.get((role, suite))
        if keys is None:
            history = self.journal.history(role, suite)
            keys = self._settled[(role, suite)] = history.keys
            price = self.lanes[role].price
            self._restore(role, suite, history, price)
        return keys

    def _restore(self, role: Role, suite: str, history: History, price: Price | None) -> None:
        usage = Usage(
            prompt_tokens=history.prompt_tokens,
            completion_tokens=history.completion_tokens,
            cached_tokens=history.cached_tokens,
        )
        usd = cost_usd(price, usage) if price else 0.0
        tokens = history.prompt_tokens + history.completion_tokens
        self.budget.restore((str(self.journal.folder), role, suite), usd, tokens)

    async def keep(self, lane: RoleState, job: PendingRequest, entry: Entry) -> None:
        """Write an answer down. It counts when it is durable; the worker need not wait for that unless many are being written."""
        line = encode_entry(entry)
        clean = self.redactor.line(line)
        if clean is not line:
            entry = decode_entry(clean)
        lane.writing += 1
        durable = self.journal.put(job.ask.role, job.ask.suite, clean)
        durable.add_done_callback(partial(self._kept, lane, job, entry.response))
        if lane.writing > lane.most_writing:
            await durable

    def _kept(
        self,
        lane: RoleState,
        job: PendingRequest,
        response: Response,
        durable: asyncio.Future[None],
    ) -> None:
        lane.writing -= 1
        if durable.cancelled():  # the whole run is; the line may be written all the same
            return
        try:
            durable.result()
            lane.count(response)
            if self.store and job.key:
                self.store.put(job.key, response)
            if self._on_response:
                self._on_response(job.ask, response)
        except Exception as error:
            self.fail(error)
        if not lane.writing:
            self.written.ring()

    async def all_written(self) -> None:
        """Return when every answer handed to `keep` is durable and counted."""
        while any(lane.writing for lane in self.lanes.values()):
            await self.written.wait()

    def now(self) -> float:
        """Wall-clock time for the record only; nothing is decided by it."""
        return round(time(), 3)

    def summary(self, resumed: Mapping[Role, int]) -> SamplingSummary:
        """Return the exact counts of this call."""
        first = self.first_request_at
        return SamplingSummary(
            roles={role: lane.summary(resumed[role]) for role, lane in self.lanes.items()},
            wall_s=round(self.clock() - self.began, 6),
            first_request_s=None if first is None else round(first - self.began, 6),
            stopped=self.stopped,
            reason=self.reason or (str(self.failure) if self.failure else ""),
        )

    def _wake_all(self) -> None:
        for ring in self._rings:
            ring()
        for lane in self.lanes.values():
            lane.limit.abort()
            lane.bell.ring()


def _nothing() -> None:
    """Before there is an account."""
