"""The watch flow: ask each platform for fine-tunes that finished, and start a promotion for every new one.

It finds what a webhook missed. Both use the job's id as the key, so that one job is one run. On its way it closes the
questions to people whose time is up.
"""

from __future__ import annotations

from prefect import flow, get_run_logger

from evals.errors import PlatformError
from flows import tasks
from flows.orchestration.flow_log import waits_in_flow_log
from flows.settings import load_settings

__all__ = ["watch"]


@flow(name="watch", persist_result=False)
async def watch(target: str | None = None) -> list[str]:
    """Look once; returns the ids of the jobs that started a promotion. Fails, after all is done, when something stuck."""
    with waits_in_flow_log():
        for run in await tasks.close_expired():
            get_run_logger().info("run %s was refused: nobody answered in time", run)
        found = await tasks.start_new(target)
    started = [job for one in found for job in one.started]
    for job in started:
        get_run_logger().info("started a promotion for %s", job)
    get_run_logger().info("%d new, targets in %s", len(started), load_settings().targets)
    if problems := [f"{one.target}: {one.problem}" for one in found if one.problem]:
        raise PlatformError("; ".join(problems))
    return started
