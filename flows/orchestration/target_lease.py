"""One promotion of a target at a time, across flow runs and machines, by a lease in the registry.

A thread renews the lease however long the work blocks. A process that stood still for longer than the lease lives, and
goes on, finds out at the next beat and stops where it is; it can't switch any more before that either. The lease saves
calls and tells dead runs from slow ones; what makes two promotions safe is the registry's compare-and-swap.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from evals.errors import InfrastructureError, LeaseLostError, RegistryError
from evals.report.numbers import rough_duration
from flows.orchestration.this_process import is_dead, new_holder, read_holder
from flows.platforms.model_names import short_name
from flows.registry.leases import BEAT_S, LIFE_S, Lease
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = [
    "HeldLease",
    "died",
    "held_here",
    "how_it_ended",
    "stopped",
    "target_lease",
    "waits_here",
]

PATIENCE_S = 6 * 3600.0
"""How long a run waits for its turn at most."""
POLL_S = 0.5

_held: dict[str, str] = {}
_waits: dict[str, str] = {}


def held_here(run_id: str) -> str | None:
    """Return the name under which this process holds a run's lease, None when it does not."""
    return _held.get(run_id)


def waits_here(run_id: str) -> str | None:
    """Say for whom this process waits before it carries a run out; None when it does not wait."""
    return _waits.get(run_id)


def died(lease: Lease) -> bool:
    """Say whether the process that carries a run out is dead: known to be, or not heard of for too long."""
    return bool(lease.holder) and (not lease.alive or is_dead(lease.holder))


def stopped(lease: Lease) -> bool:
    """Say whether nobody carries a run out, although something is left to do."""
    return not lease.holder or died(lease)


def how_it_ended(lease: Lease) -> str:
    """Say what is known of a run that nobody carries out: stopped, its process dead, or only silent."""
    if not lease.holder:
        return "it was stopped"
    heard = f"{rough_duration(lease.silent_s)} ago"
    if is_dead(lease.holder):
        return f"its process died (last heard of {heard})"
    return f"its process was last heard of {heard}: it died, or stands still"


class HeldLease:
    """A lease of this process. `finished` is for its user to set once nothing is left to do for the run."""

    def __init__(self, registry: Registry, run_id: str, target: str, *, alone: bool) -> None:
        self.run_id, self.target, self.finished, self.lost = run_id, target, False, False
        self.holder = new_holder()
        self._registry, self._alone, self._holds = registry, alone, False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease {run_id}", daemon=True)
        self._lose: Callable[[], object] = lambda: None

    async def take(self, patience_s: float, say: Callable[[str], None]) -> None:
        """Wait for the turn; `say` is called with the run that has it. Raises InfrastructureError when that takes too long."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()

        def stop() -> None:
            if task is not None and not self._over.is_set():
                task.cancel()

        self._lose = lambda: loop.call_soon_threadsafe(stop)
        self._thread.start()
        until = loop.time() + patience_s
        while (ahead := await asyncio.to_thread(self._ask)) is not None:
            words = _described(self._registry, self.run_id, ahead, patience_s)
            if _waits.get(self.run_id) != words:
                _waits[self.run_id] = words
                say(words)
            if loop.time() > until:
                raise InfrastructureError(f"{self.target} was not free in time: {words}")
            await asyncio.sleep(POLL_S)
        self._holds = self._alone
        _held[self.run_id] = self.holder
        _waits.pop(self.run_id, None)

    def stop_renewing(self) -> None:
        """Be over: from now on the lease can't be lost any more."""
        self._over.set()

    def release(self) -> None:
        """Give the lease back; one that can't be given back ends by itself."""
        self._thread.join()
        _waits.pop(self.run_id, None)
        if _held.get(self.run_id) == self.holder:
            del _held[self.run_id]
        with suppress(RegistryError):
            self._registry.leave_lease(self.run_id, self.holder, finished=self.finished)

    def _ask(self) -> Lease | None:
        dead = {one.holder for one in self._registry.leases_of(self.target) if died(one)}
        return self._registry.take_lease(
            self.run_id, self.target, self.holder, dead=frozenset(dead), alone=self._alone
        )

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            with suppress(RegistryError):  # a registry that is away gives it to nobody else either
                kept = self._registry.renew_lease(self.run_id, self.holder, holds=self._holds)
                if not kept and _held.get(self.run_id) == self.holder:
                    self.lost = True
                    self._lose()
                    return


@asynccontextmanager
async def target_lease(
    settings: Settings,
    target: str,
    run_id: str,
    *,
    alone: bool = True,
    patience_s: float = PATIENCE_S,
    say: Callable[[str], None] = lambda words: None,
) -> AsyncIterator[HeldLease]:
    """Carry a run out in a block, and have its target for this run `alone`. `say` is called with the run it waits for.

    Raises InfrastructureError when its turn does not come in time, LeaseLostError when another process took over.
    """
    with Registry.open(settings.registry_url) as registry:
        lease = HeldLease(registry, run_id, target, alone=alone)
        try:
            await lease.take(patience_s, say)
            yield lease
        except asyncio.CancelledError:
            if not lease.lost:
                raise
            if (task := asyncio.current_task()) is not None:
                task.uncancel()  # nobody else asked for it
            raise LeaseLostError(
                f"this process was silent for more than {LIFE_S:.0f} s, and another one goes on with run {run_id}"
            ) from None
        finally:
            lease.stop_renewing()
            await asyncio.shield(asyncio.to_thread(lease.release))


def _described(registry: Registry, run_id: str, ahead: Lease, patience_s: float) -> str:
    """For whom is waited, since when that one is at work, and how long at most."""
    since = f"since {datetime.fromtimestamp(ahead.since, UTC):%Y-%m-%d %H:%M} UTC"
    limit = f"at most {LIFE_S:.0f} s if its process has died, else up to {patience_s / 3600:.3g} h"
    if ahead.run_id == run_id:
        named = read_holder(ahead.holder)
        return f"waiting for process {named.pid} on {named.host}, which has carried this run out {since}: {limit}"
    run = registry.run(ahead.run_id)
    model = short_name(run.candidate_model) if run is not None and run.candidate_model else ""
    holds = "has held the target" if ahead.state == "holds" else "has been ahead in the queue"
    named_run = f"run {ahead.run_id}{f' ({model})' if model else ''}"
    return f"waiting for {named_run}, which {holds} {since}: {limit}"
