"""The canary flow: once an hour, ask the live model a few cases, and start a regression run where its answers differ."""

from __future__ import annotations

from prefect import flow, get_run_logger

from evals.errors import PlatformError
from flows import tasks
from flows.orchestration.flow_log import waits_in_flow_log

__all__ = ["canary"]


@flow(name="canary", persist_result=False)
async def canary(target: str | None = None) -> dict[str, str]:
    """Look at one target, or at all whose files have a canary; returns the outcome of each look.

    Fails, after all is done, when a look failed or a regression run could not be started.
    """
    log, problems = get_run_logger(), []
    with waits_in_flow_log():
        found = await tasks.ask_canaries(target)
    for one in found:
        if one.last is not None:
            log.info("%s: %s: %s", one.target, one.last.outcome, one.last.said)
        failed = one.problem or (one.change.problem if one.change is not None else "")
        problems += [f"{one.target}: {failed}"] if failed else []
    if problems:
        raise PlatformError("; ".join(problems))
    return {one.target: one.last.outcome for one in found if one.last is not None}
