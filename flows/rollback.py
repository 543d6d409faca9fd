"""The rollback flow: the way back, for those who start it from Prefect's pages or an automation."""

from __future__ import annotations

from prefect import flow, get_run_logger

from flows import tasks
from flows.orchestration.flow_log import waits_in_flow_log
from flows.settings import load_settings

__all__ = ["roll_back"]


@flow(name="rollback", flow_run_name="{target}", persist_result=False)
async def roll_back(
    target: str,
    reason: str,
    to: str | None = None,
    requested_by: str = "",
    from_generation: int | None = None,
) -> str:
    """Return to the model that was live before, or to `to`, and hold automation off. Returns what is live now.

    With `from_generation` it goes back from that generation and no other, so that asking twice is one rollback.
    """
    actor = requested_by or load_settings().actor
    with waits_in_flow_log():
        model = await tasks.roll_back(target, to, reason, actor, from_generation)
    get_run_logger().info("%s: %s is live again", target, model)
    return model
