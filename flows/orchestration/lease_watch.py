"""Whose process is silent, as this process has observed it: for the service, which acts on it.

The age of a lease by the database misleads after a pause: when the database was away, a machine slept, or its clock was set, every
run looks silent at once, until its next beat. Here a process counts as dead when its lease did not move for a lease's life while
this process was watching, by a monotonic clock; of a gap between two looks only a part counts. So no two clocks are compared, and a
death is still noticed within half a minute; on the same machine at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from flows.orchestration.target_lease import died
from flows.orchestration.this_process import is_dead
from flows.registry.leases import LIFE_S, Lease

__all__ = ["LeaseWatch"]

_MOST_COUNTED_S = LIFE_S / 2
"""How much of the time between two looks counts at most, in seconds: it may have been a pause."""


class LeaseWatch:
    """Remembers how long each lease did not move while it was watched. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._still: dict[tuple[str, str], tuple[float, float]] = {}
        self._looked = clock()

    def look(self, leases: Iterable[Lease]) -> None:
        """Take in every lease there is."""
        now = self._clock()
        passed, self._looked = min(now - self._looked, _MOST_COUNTED_S), now
        before, self._still = self._still, {}
        for lease in leases:
            beat, still = before.get((lease.run_id, lease.holder), (None, 0.0))
            silent = still + passed if beat == lease.beat else 0.0
            self._still[lease.run_id, lease.holder] = (lease.beat, silent)

    def died(self, lease: Lease) -> bool:
        """Say whether the process that carries a run out is dead: known to be, or silent for as long as it was watched."""
        if not died(lease):
            return False
        _, silent = self._still.get((lease.run_id, lease.holder), (0.0, 0.0))
        return silent >= LIFE_S or is_dead(lease.holder)

    def stopped(self, lease: Lease) -> bool:
        """Say whether nobody carries a run out, although something is left to do."""
        return not lease.holder or self.died(lease)
