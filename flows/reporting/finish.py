"""Finishes runs that are over but whose process died, or failed, before its clean-up: developer slot and report; of a
judged regression run also what follows from it.

Done by whoever comes next: `resume`, the same promotion again, `evaluate --resume`, a sweep, the service's look for dead
runs. A run has something left to do as long as its lease stands in the registry; those of before leases, as long as they
have no report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from evals.errors import GatewrightError
from flows.evaluation import steps
from flows.evaluation.kept.fresh_pass import pass_over
from flows.orchestration.target_lease import stopped, target_lease
from flows.registry.leases import Lease
from flows.registry.opening import open_registry, require_run
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.reporting.gather import report_run
from flows.reporting.settling import settle
from flows.selection.rungs import clean_up_field
from flows.settings import Settings

__all__ = [
    "end_dead_regressions",
    "finish_run",
    "finish_stopped",
    "is_unfinished",
    "unfinished_runs",
]


def is_unfinished(settings: Settings, run_id: str) -> bool:
    """Say whether a run is over and was not cleaned up, or has no report."""
    with open_registry(settings) as registry:
        return _is_unfinished(registry, require_run(registry, run_id))


def end_dead_regressions(
    registry: Registry, target: str | None = None, *, is_stopped: Callable[[Lease], bool] = stopped
) -> tuple[str, ...]:
    """Have the regression runs of a target, or of all, end as failed whose process died; returns them.

    Such a run looks at one day, so that nobody goes on with it: another one is asked instead.
    """
    runs = [registry.run(lease.run_id) for lease in registry.open_leases() if is_stopped(lease)]
    dead = [
        run
        for run in runs
        if run is not None
        and run.kind == "regression"
        and run.under_way
        and target in (None, run.target)
    ]
    for run in dead:
        why = f"its process died; ask anew: gatewright regress {run.target}"
        registry.set_run_state(run.run_id, "failed", why)
    return tuple(run.run_id for run in dead)


def unfinished_runs(
    registry: Registry, target: str | None = None, *, is_stopped: Callable[[Lease], bool] = stopped
) -> tuple[str, ...]:
    """Return the runs of a target, or of all, that are over, were not cleaned up, and that no process carries out."""
    leases = registry.open_leases()
    carried = {lease.run_id for lease in leases if not is_stopped(lease)}
    left = dict.fromkeys([*(one.run_id for one in leases), *registry.unsettled_regressions()])
    runs = [registry.run(run_id) for run_id in left if run_id not in carried]
    return tuple(
        run.run_id
        for run in runs
        if run is not None and not run.under_way and target in (None, run.target)
    )


async def finish_run(settings: Settings, run_id: str) -> None:
    """Delete a run's developer slots and write its report, if that is left to do. Safe to do again.

    Raises PlatformError when the platform does not let go of a slot; the next one to come tries again.
    """
    with open_registry(settings) as registry:
        run = require_run(registry, run_id)
        if not _is_unfinished(registry, run):
            return
    async with target_lease(settings, run.target, run_id, alone=False) as lease:
        with open_registry(settings) as registry:
            run = require_run(registry, run_id)
        if not run.under_way:  # whoever was waited for may have begun it again
            await close_run(settings, run_id)
            lease.finished = True


async def close_run(settings: Settings, run_id: str, error: str | None = None) -> None:
    """Clean up after a run and write its report; `error` is why it failed, if it did."""
    with open_registry(settings) as registry:
        run = require_run(registry, run_id)
    if run.kind == "selection":
        await clean_up_field(settings, run.run_id)
        return
    try:
        if run.kind == "regression":
            await _settle_judged(settings, run_id)
        await steps.clean_up(settings, run.run_id)
        await pass_over(settings, run.run_id)
    finally:
        if run.candidate is not None:
            await asyncio.to_thread(report_run, settings, run.run_id, error=error)


async def _settle_judged(settings: Settings, run_id: str) -> None:
    with open_registry(settings) as registry:
        judged = registry.verdict(run_id) is not None
    if judged:
        await settle(settings, run_id)


async def finish_stopped(settings: Settings, target: str | None = None) -> dict[str, str]:
    """Finish every run, of a target or of all, that is over and that nobody finished.

    Returns run -> what went wrong, "" for nothing.
    """
    with open_registry(settings) as registry:
        end_dead_regressions(registry, target)
        found = unfinished_runs(registry, target)
    problems = {}
    for run_id in found:
        try:
            await finish_run(settings, run_id)
        except GatewrightError as error:
            problems[run_id] = str(error)
    return {run_id: problems.get(run_id, "") for run_id in found}


def _is_unfinished(registry: Registry, run: RunRecord) -> bool:
    if run.under_way:
        return False
    unreported = run.candidate is not None and run.report is None and run.state != "failed"
    if run.run_id in registry.unsettled_regressions():
        return True
    return registry.lease(run.run_id) is not None or (unreported and run.kind != "selection")
