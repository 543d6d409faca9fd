"""The dispatcher: works through the inbox in the background, and lets go of a message only when it is dealt with.

What can't be done now is tried again, at growing pauses, for as long as it takes: after many tries once an hour, and it
is shown as stuck. Every try that failed is counted in the registry; the pauses are not, so that a restart tries at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from evals.errors import (
    ConfigurationError,
    GatewrightError,
    Problem,
    RefusedError,
    RegistryError,
)
from flows.orchestration.lease_watch import LeaseWatch
from flows.registry.leases import LIFE_S
from flows.registry.opening import require_run
from flows.registry.records import InboxMessage
from flows.registry.store import Registry
from flows.reporting.finish import end_dead_regressions, finish_run, unfinished_runs
from flows.service.dispatcher.job_lookup import JobMatch, NotYetError, find, unwanted
from flows.service.dispatcher.messages import SUCCEEDED, Trigger, read_trigger
from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.service.dispatcher.queue_resume import queue_forgotten
from flows.service.dispatcher.resume import resume_run
from flows.service.dispatcher.stalled import answered_order, stalled
from flows.service.dispatcher.starting import STARTING_S, StartOrder, job_order, start
from flows.service.dispatcher.timing import Timing
from flows.settings import Settings

__all__ = ["Dispatcher"]

UNKNOWN_AFTER = 6

_log = logging.getLogger(__name__)


class Dispatcher:
    """Empties the inbox of one installation. Several at once do no harm: each start has its key."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        api: PrefectRuns | None,
        pauses: Timing | None = None,
        *,
        at_once: int = 16,
    ) -> None:
        self._settings, self._registry, self._api = settings, registry, api
        self._pauses = pauses or Timing()
        self._due: dict[str, float] = {}
        self._through: set[str] = set()
        self._under_way: dict[str, asyncio.Task[str]] = {}
        self._woken = asyncio.Event()
        self._slots = asyncio.Semaphore(at_once)
        self._last_logged: dict[str, str] = {}
        self._looked_after: dict[str, float] = {}
        self._swept = float("-inf")
        self._watch = LeaseWatch()
        self._blind_until = float("-inf")

    def wake(self) -> None:
        """Look at the inbox now."""
        self._woken.set()

    def due_in(self, message_id: str) -> float:
        """Return in how many seconds a message is tried again; 0 when it is next."""
        return max(0.0, self._due.get(message_id, 0.0) - time.monotonic())

    async def run(self) -> None:
        """Work until cancelled. Messages are tried beside one another: a platform that hangs delays its own only."""
        try:
            while True:
                self._woken.clear()
                try:
                    await self._sweep()
                    await self._begin_due()
                except GatewrightError as error:
                    # Whoever waits for the registry, too, has yet to be heard of when it is back.
                    self._blind_until = time.monotonic() + LIFE_S
                    _log.error("the inbox can't be read: %s", error)
                except Exception:  # a bug must not end the work for good
                    _log.exception("looking at the inbox failed")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._pauses.look)
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def drain(self) -> dict[str, str]:
        """Try every message that is due once, and return what was said of each when all are through."""
        begun = await self._begin_due()
        outcomes = await asyncio.gather(*begun.values())
        return dict(zip(begun, outcomes, strict=True))

    async def _begin_due(self) -> dict[str, asyncio.Task[str]]:
        pending = await asyncio.to_thread(self._registry.inbox_pending, limit=1000)
        known = {message.message_id for message in pending}
        self._due = {key: due for key, due in self._due.items() if key in known}
        self._through &= known  # dealt with while the list was being read
        begun: dict[str, asyncio.Task[str]] = {}
        for message in pending:
            key = message.message_id
            if key not in self._under_way and key not in self._through and not self.due_in(key):
                begun[key] = self._under_way[key] = asyncio.create_task(self._try(message))
                begun[key].add_done_callback(partial(self._ended, key))
        return begun

    def _ended(self, message_id: str, _task: asyncio.Task[str]) -> None:
        self._under_way.pop(message_id, None)

    async def _sweep(self) -> None:
        """Look for runs whose process died, and now and then for those that nobody carried on or that stand still."""
        self._begin_finishing(await asyncio.to_thread(self._left_undone))
        now = time.monotonic()
        soon = now - self._swept < min(self._pauses.again, self._pauses.grace)
        if soon or now < self._blind_until:
            return
        self._swept = now
        here = (self._settings, self._registry)
        await asyncio.to_thread(queue_forgotten, *here, grace_s=self._pauses.grace)
        await self._begin_stalled()

    def _left_undone(self) -> tuple[str, ...]:
        """The runs that are over and that nobody finished; regression runs end by their process's death."""
        self._watch.look(self._registry.open_leases())
        is_stopped = self._watch.stopped
        for run_id in end_dead_regressions(self._registry, is_stopped=is_stopped):
            _log.warning("run %s: its process died", run_id)
        return unfinished_runs(self._registry, is_stopped=is_stopped)

    async def look_after(self) -> dict[str, str]:
        """See to every run that stands still once, and return what was said of each."""
        begun = await self._begin_stalled()
        outcomes = await asyncio.gather(*begun.values())
        return dict(zip(begun, outcomes, strict=True))

    async def _begin_stalled(self) -> dict[str, asyncio.Task[str]]:
        return self._begin_orders(
            await asyncio.to_thread(
                stalled,
                self._settings,
                self._registry,
                silence_s=self._pauses.silence,
                unbegun_s=min(STARTING_S, self._pauses.grace),
                is_dead=self._watch.died,
            )
        )

    def _begin_orders(self, orders: Iterable[StartOrder]) -> dict[str, asyncio.Task[str]]:
        if self._api is None:
            return {}
        begun = {
            one.run_id: self._begin_once(one.run_id, partial(self._bring_on, one)) for one in orders
        }
        return {run_id: task for run_id, task in begun.items() if task is not None}

    def _begin_finishing(self, runs: Iterable[str]) -> None:
        for run_id in runs:
            self._begin_once(run_id, partial(self._finish, run_id))

    def _begin_once(
        self, run_id: str, work: Callable[[], Coroutine[Any, Any, str]]
    ) -> asyncio.Task[str] | None:
        """Look after a run, unless that is being done or was done a moment ago."""
        key = f"{run_id}:stalled"
        if key in self._under_way or time.monotonic() < self._looked_after.get(run_id, 0.0):
            return None
        self._looked_after[run_id] = time.monotonic() + self._pauses.again
        task = self._under_way[key] = asyncio.create_task(work())
        task.add_done_callback(partial(self._ended, key))
        return task

    async def _finish(self, run_id: str) -> str:
        """Clean up and report a run that is over; what can't be done now is tried at a later look."""
        async with self._slots:
            try:
                await finish_run(self._settings, run_id)
                outcome = "finished what its process left undone"
            except GatewrightError as error:
                outcome = str(error)
        if self._last_logged.get(run_id) != outcome:
            self._last_logged[run_id] = outcome
            _log.warning("run %s: %s", run_id, outcome)
        return outcome

    async def _bring_on(self, order: StartOrder) -> str:
        """See to a run that stands still; what can't be done now is tried at the next look."""
        async with self._slots:
            try:
                outcome = await (self._go_on(order) if order.resumes else self._start(order))
            except GatewrightError as error:
                outcome = str(error)
            except Exception as error:
                _log.exception("run %s stands still, and looking after it failed", order.run_id)
                return str(error)
        if self._last_logged.get(order.run_id) != outcome:
            self._last_logged[order.run_id] = outcome
            _log.warning("run %s stands still: %s", order.run_id, outcome)
        return outcome

    async def _try(self, message: InboxMessage) -> str:
        async with self._slots:
            try:
                outcome = await self._carry_out(message)
                await asyncio.to_thread(self._registry.inbox_done, message.message_id, outcome)
                self._through.add(message.message_id)
                _log.info("%s: %s", message.message_id, outcome)
                return outcome
            except RegistryError as error:  # then the try can't be counted either
                self._due[message.message_id] = time.monotonic() + self._pauses.first
                _log.error("%s: %s", message.message_id, error)
                return str(error)
            except Exception as error:
                return await self._missed(message, error)

    async def _missed(self, message: InboxMessage, error: Exception) -> str:
        known = isinstance(error, GatewrightError)
        why = str(error) if known else f"{type(error).__name__}: {error}"
        try:
            attempts = await asyncio.to_thread(
                self._registry.inbox_missed, message.message_id, why[:1000]
            )
        except RegistryError as failure:
            _log.error("%s: a failed try could not be counted: %s", message.message_id, failure)
            attempts = message.attempts + 1
        self._due[message.message_id] = time.monotonic() + self._pauses.after(attempts)
        _log.warning("%s, try %d: %s", message.message_id, attempts, why, exc_info=not known)
        return why

    async def _carry_out(self, message: InboxMessage) -> str:
        try:
            trigger = read_trigger(message.payload)
        except msgspec.ValidationError as error:
            return f"nothing was done: it can't be read ({error})"
        if trigger.kind == "answer":
            return await self._go_on(await asyncio.to_thread(self._answered, trigger))
        if trigger.event != SUCCEEDED:
            return f"noted: {trigger.event.rpartition('.')[2]} {trigger.subject}"
        try:
            found = await find(self._settings, trigger.subject)
        except RefusedError as error:
            if (
                message.attempts + 1 < UNKNOWN_AFTER
            ):  # a platform may tell of a job before it shows it
                raise NotYetError(str(error)) from error
            return f"nothing was started: {error}"
        return await self._promote(found)

    async def _promote(self, found: JobMatch) -> str:
        job = found.job
        if not found.targets:
            return f"nothing was started: {unwanted(found)}"
        if job.ended and not job.succeeded:
            return f"nothing was started: the platform says {job.id} {job.status}"
        if not job.ended or not job.model_id:
            raise NotYetError(f"the platform says {job.id} is {job.status}, not finished yet")
        outcomes = await asyncio.gather(
            *(self._start(job_order(target.name, job.id)) for target in found.targets),
            return_exceptions=True,
        )
        failures = [one for one in outcomes if isinstance(one, BaseException)]
        if failures:
            raise failures[0]
        return "; ".join(str(one) for one in outcomes)

    async def _start(self, order: StartOrder) -> str:
        started = await start(
            self._prefect(), self._registry, self._settings, order, silence_s=self._pauses.silence
        )
        return started.words

    async def _go_on(self, order: StartOrder) -> str:
        return await resume_run(
            self._prefect(), self._registry, self._settings, order, silence_s=self._pauses.silence
        )

    def _prefect(self) -> PrefectRuns:
        if self._api is None:
            raise ConfigurationError(_no_prefect())
        return self._api

    def _answered(self, trigger: Trigger) -> StartOrder:
        run = require_run(self._registry, trigger.subject)
        return answered_order(run, trigger.number)


def _no_prefect() -> Problem:
    return Problem(
        where="PREFECT_API_URL",
        message="expected the address of a Prefect server; it was not set when the service was started",
        fix="export PREFECT_API_URL=http://127.0.0.1:4200/api and start the service again",
    )
