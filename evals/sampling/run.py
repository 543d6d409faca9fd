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
        states: Mapping[Role, RoleState],
        journal: Journal,
        budget: Budget,
        store: ResponseStore | None,
        transport: Transport,
        redactor: Redactor,
        on_response: Callable[[ModelRequest, Response], None] | None,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.states = states
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
        self.stop_signal = WakeUp()
        self.saved = WakeUp()
        self.write_account: Callable[[], None] = _nothing  # replaced once there is an account
        self._on_response = on_response
        self._answered: dict[tuple[Role, str], AnsweredKeys] = {}
        self._stop_callbacks: list[Callable[[], None]] = [budget.settled.notify_all]

    @property
    def stopping(self) -> bool:
        """True when no further request may be begun."""
        return self.stopped is not None or self.failure is not None

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the run stops early."""
        self._stop_callbacks.append(callback)

    def stop(self, why: StopReason, reason: str) -> None:
        """End cleanly: what is in flight is still received and kept."""
        if not self.stopping:
            self.stopped, self.reason = why, reason
            _log.info("asks nothing more: %s", reason)
            self._end_waits()

    def fail(self, error: Exception) -> None:
        """End with an error, after what is in flight was received and kept. The first error counts."""
        if self.failure is None:
            self.failure = error
            _log.info("asks nothing more: %s", error)
            self._end_waits()

    def answered_keys(self, role: Role, suite: str) -> AnsweredKeys:
        """Return the keys that earlier processes answered; the first time, count what those processes spent."""
        keys = self._answered.get((role, suite))
        if keys is None:
            history = self.journal.history(role, suite)
            keys = self._answered[(role, suite)] = history.keys
            price = self.states[role].price
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

    async def save(self, state: RoleState, pending: PendingRequest, entry: Entry) -> None:
        """Write an answer down. It counts when it is durable; the worker need not wait for that unless many are being written."""
        # A response that counted before its line was on disk would be missing after a crash, although the summary, the
        # budget and the gate had already used it. So counting is left to the callback of the durable line.
        line = encode_entry(entry)
        clean = self.redactor.line(line)
        if clean is not line:
            entry = decode_entry(clean)
        state.writing += 1
        durable = self.journal.put(pending.request.role, pending.request.suite, clean)
        durable.add_done_callback(partial(self._saved, state, pending, entry.response))
        if state.writing > state.max_writing:
            await durable

    def _saved(
        self,
        state: RoleState,
        pending: PendingRequest,
        response: Response,
        durable: asyncio.Future[None],
    ) -> None:
        state.writing -= 1
        if durable.cancelled():  # the whole run is; the line may be written all the same
            return
        try:
            durable.result()
            state.count(response)
            # Only now: what other runs reuse must be on record in the run that paid for it.
            if self.store and pending.key:
                self.store.put(pending.key, response)
            if self._on_response:
                self._on_response(pending.request, response)
        except Exception as error:
            self.fail(error)
        if not state.writing:
            self.saved.notify_all()

    async def all_saved(self) -> None:
        """Return when every answer handed to `save` is durable and counted."""
        while any(state.writing for state in self.states.values()):
            await self.saved.wait()

    def now(self) -> float:
        """Wall-clock time for the record only; nothing is decided by it."""
        return round(time(), 3)

    def summary(self, resumed: Mapping[Role, int]) -> SamplingSummary:
        """Return the exact counts of this call."""
        first = self.first_request_at
        return SamplingSummary(
            roles={role: state.summary(resumed[role]) for role, state in self.states.items()},
            wall_s=round(self.clock() - self.began, 6),
            first_request_s=None if first is None else round(first - self.began, 6),
            stopped=self.stopped,
            reason=self.reason or (str(self.failure) if self.failure else ""),
        )

    def _end_waits(self) -> None:
        for callback in self._stop_callbacks:
            callback()
        self.stop_signal.notify_all()
        for state in self.states.values():
            state.limit.abort()


def _nothing() -> None:
    """Before there is an account."""
