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

_LONGEST_GAP_S = LIFE_S / 2


class LeaseWatch:
    """Remembers since when each lease stands still. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[tuple[str, str], tuple[float, float]] = {}
        self._looked = clock()

    def look(self, leases: Iterable[Lease]) -> None:
        """Take in every lease there is. After a gap in looking the watch begins anew: it may have been a pause."""
        now = self._clock()
        if now - self._looked > _LONGEST_GAP_S:
            self._since.clear()
        self._looked = now
        before = self._since
        self._since = {}
        for lease in leases:
            known = before.get((lease.run_id, lease.holder))
            still = known is not None and known[0] == lease.beat
            self._since[lease.run_id, lease.holder] = (
                known if still and known else (lease.beat, now)
            )

    def died(self, lease: Lease) -> bool:
        """Say whether the process that carries a run out is dead: known to be, or silent for as long as it was watched."""
        if not died(lease):
            return False
        seen = self._since.get((lease.run_id, lease.holder))
        silent = seen is not None and self._clock() - seen[1] >= LIFE_S
        return silent or is_dead(lease.holder)

    def stopped(self, lease: Lease) -> bool:
        """Say whether nobody carries a run out, although something is left to do."""
        return not lease.holder or self.died(lease)
