"""How patient the dispatcher is: between two looks, after a try that failed, and before it calls something stuck or dead."""

from __future__ import annotations

from dataclasses import dataclass

from flows.service.dispatcher.queue_resume import GRACE_S
from flows.service.dispatcher.starting import SILENCE_S

__all__ = ["STUCK_AFTER", "Timing"]

STUCK_AFTER = 20
"""How many tries that failed make a message stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long the dispatcher waits, in seconds: between looks, after a failed try, and once a message is stuck.

    `silence` is how long nothing is heard of a run before it may be dead; `grace` is the time between two looks for
    runs that were forgotten or stand still; `again` between two tries of bringing on a run whose process died.
    """

    look: float = 2.0
    first: float = 2.0
    longest: float = 300.0
    stuck: float = 3600.0
    silence: float = SILENCE_S
    again: float = 5.0
    grace: float = GRACE_S

    def after(self, attempts: int) -> float:
        """Return the pause after so many failed tries."""
        if attempts >= STUCK_AFTER:
            return self.stuck
        return float(min(self.longest, self.first * 2 ** max(0, attempts - 1)))
