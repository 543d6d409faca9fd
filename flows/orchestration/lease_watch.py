"""Whose process is silent, by what a looker that stays has seen itself: for the service, which acts on it.

How old a lease is by the database says too much after a pause: when the database was away, a machine slept, or its clock was
set, every run looks silent at once, and the next beat is still to come. Here a process is taken for dead when its lease stood
still for as long as a lease lives while this looker was looking, by a clock that stands still in a pause too. So no clocks are
compared, and a death is noticed within half a minute all the same; on the same machine at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from flows.orchestration.target_lease import died
from flows.orchestration.this_process import is_dead
from flows.registry.leases import LIFE_S, Lease

__all__ = ["LeaseWatch"]

_MOST_COUNTED_S = LIFE_S / 2
"""What a time without a look counts for at most, in seconds: it may have been a pause."""


class LeaseWatch:
    """Remembers how long each lease stood still while it was looked at. `clock` is monotonic, in seconds."""

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
