"""Everything that the handlers share: documents, clock, switches, served models, the request log, background tasks."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.emulator.state.clock import Clock
from flows.emulator.state.store import Store
from flows.emulator.switches import Switches, changed

if TYPE_CHECKING:
    from flows.emulator.models.model_cache import ModelCache

__all__ = ["EmulatorState", "LogEntry"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One answered request, for tests that ask what a client sent. Credentials are left out."""

    at: float
    method: str
    path: str
    query: str
    status: int
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class EmulatorState:
    """State folder, clock, switches and loaded models, handed to every handler."""

    folder: Path
    store: Store
    clock: Clock
    switches: Switches
    model_cache: ModelCache
    first_moment: float
    log: deque[LogEntry] = field(default_factory=lambda: deque(maxlen=10_000))
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    outbox_changed: asyncio.Event = field(default_factory=asyncio.Event)
    counters: dict[str, int] = field(default_factory=dict)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run something in the background; a crash of it is logged."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._finished)

    def change(self, changes: dict[str, Any]) -> None:
        """Change some switches; a list of faults counts from its start. Raises msgspec.ValidationError."""
        self.switches = changed(self.switches, changes)
        if "faults" in changes:
            for name in [one for one in self.counters if one.startswith("fault-")]:
                del self.counters[name]

    def count(self, name: str) -> int:
        """Return 0, 1, 2 … for a name, one more at each call."""
        number = self.counters.get(name, 0)
        self.counters[name] = number + 1
        return number

    def chance(self, name: str, rate: float, *facts: object) -> bool:
        """Decide with probability `rate`, always the same for the same seed, name and facts (else for the n-th call)."""
        if rate <= 0.0:
            return False
        return self.draw(name, *(facts or (self.count(name),))) < rate

    def draw(self, name: str, *facts: object) -> float:
        """Return a number in [0, 1) that only the seed, the name and the facts decide."""
        text = "\x1f".join([str(self.switches.seed), name, *map(str, facts)])
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64

    def _finished(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work '%s' failed", task.get_name(), exc_info=error)
