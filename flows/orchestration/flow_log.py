"""Waits in a flow run's own log, where Prefect's pages and its API show them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flows.platforms.deadlines import logging_waits

__all__ = ["waits_in_flow_log"]


@contextmanager
def waits_in_flow_log() -> Iterator[None]:
    """Have what is waited for within a block written to the log of the flow run it belongs to. Needs a running flow.

    A worker whose `PREFECT_LOGGING_EXTRA_LOGGERS` names this package sends its log already.
    """
    from prefect import get_run_logger  # 2 s to import, paid only inside of a flow
    from prefect.settings import get_current_settings

    if "flows" in (get_current_settings().logging.extra_loggers or ()):
        yield
        return
    with logging_waits(get_run_logger().info):
        yield
