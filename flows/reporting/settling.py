"""A judged regression run to its end: its outcome on record, what follows from it done, and whoever is to be told told.

Every stage leaves its mark, so that a run whose process died between them is finished by whoever comes next, once: the
hourly sweep, the service's look, or `gatewright resume`; see `flows.reporting.finish`.
"""

from __future__ import annotations

import asyncio

import msgspec

from flows.monitoring.automatic_rollback import roll_back_failed
from flows.monitoring.regression_outcome import alert_of, apply_outcome
from flows.orchestration import artifacts
from flows.registry.opening import open_registry
from flows.registry.regression_outcomes import SETTLING
from flows.settings import Settings

__all__ = ["settle"]


async def settle(settings: Settings, run_id: str) -> str:
    """Settle a judged regression run; returns the word it came to. Safe to do again, and nothing more once it is done.

    An alert that was sent just before a kill is sent once more, as the same event.
    """
    with open_registry(settings) as registry:
        found = registry.regression_outcome(run_id)
        if found is not None and registry.is_settled(run_id):
            return found.outcome
        registry.record_step(run_id, SETTLING, "begun")
    outcome = await asyncio.to_thread(apply_outcome, settings, run_id)
    await roll_back_failed(settings, run_id)
    alert = await asyncio.to_thread(alert_of, settings, run_id)
    if alert is not None:
        changed = alert.outcome == "changed"
        event = artifacts.REGRESSION_CHANGED if changed else artifacts.REGRESSION_FAILED
        artifacts.alert(alert.target, msgspec.structs.asdict(alert), event=event, once=run_id)
    with open_registry(settings) as registry:
        registry.record_step(run_id, SETTLING, "done")
    return outcome
