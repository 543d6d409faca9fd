"""The watch flow: ask each platform for fine-tunes that finished, and start a promotion for every new one.

It finds what a webhook missed. Both use the job's id as the key, so that one job is one run. On its way it closes the
questions to people whose time is up.
"""

from __future__ import annotations

from prefect import flow, get_run_logger

from flows import tasks
from flows.settings import load_settings

__all__ = ["watch"]


@flow(name="watch", persist_result=False)
async def watch(target: str | None = None) -> list[str]:
    """Look once; returns the ids of the jobs that started a promotion."""
    for run in await tasks.close_expired():
        get_run_logger().info("run %s was refused: nobody answered in time", run)
    started = await tasks.start_new(target)
    for job in started:
        get_run_logger().info("started a promotion for %s", job)
    get_run_logger().info("%d new, targets in %s", len(started), load_settings().targets)
    return started
