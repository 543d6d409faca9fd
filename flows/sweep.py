"""The sweep flow: once an hour, look whether what is live really stands, take away what nobody needs any more, and keep
warm what a rollback may need.
"""

from __future__ import annotations

import logging

from prefect import flow, get_run_logger

from evals.errors import GatewrightError, PlatformError
from flows import tasks
from flows.housekeeping.sweep_target import SweepOutcome
from flows.orchestration.flow_log import waits_in_flow_log

__all__ = ["sweep"]


@flow(name="sweep", persist_result=False)
async def sweep(target: str | None = None) -> list[str]:
    """Sweep one target, or all; returns the names of what was deleted. Fails, after all is done, when something stuck.

    What draws near (last days of models, questions about to expire) is announced, each thing once: see `flows.monitoring.lifecycle`.

    A change made past Gatewright is announced and put on record, and left as it is: see `flows.monitoring.drift_watch`.

    Sweeping all also forgets the stored answers that no target reuses any more.
    """
    log = get_run_logger()
    deleted, problems = [], []
    with waits_in_flow_log():
        for look in await tasks.check_drift(target):
            if look.drifts:
                log.warning("%s: %s", look.target, look.reason)
            if look.problem:
                problems.append(f"{look.target}: could not look for drift: {look.problem}")
        for run_id, problem in (await tasks.finish_stopped(target)).items():
            log.info("%s: finished what its process left undone", run_id)
            problems += [f"{run_id}: {problem}"] if problem else []
        for found in await tasks.sweep_targets(target):
            _log_swept(log, found)
            deleted += [due.name for due in found.deleted]
            problems += [f"{found.target}: {problem}" for problem in found.problems]
        # After sweeping, so that what is left over is what could not be deleted.
        for warning in await tasks.check_lifecycle(target):
            log.warning("%s: %s", warning.target, warning.message)
    if target is None:
        try:
            forgotten = await tasks.forget_answers()
            log.info("forgot %d stored answers that no target reuses any more", forgotten.answers)
        except GatewrightError as error:
            problems.append(f"no stored answers were forgotten: {error}")
    if problems:
        raise PlatformError("; ".join(problems))
    return deleted


def _log_swept(
    log: logging.Logger | logging.LoggerAdapter[logging.Logger], found: SweepOutcome
) -> None:
    log.info("%s: kept warm %s", found.target, ", ".join(found.kept_warm) or "nothing")
    for due in found.deleted:
        log.info("%s: deleted %s: %s", found.target, due.name, due.why)
    for warning in found.warnings:
        log.warning("%s: %s", found.target, warning)
