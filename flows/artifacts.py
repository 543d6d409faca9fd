"""What a run shows in Prefect's own pages: its report as a markdown artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["REGRESSION_FAILED", "alert", "publish_report"]

MOST_BYTES = 20_000
REGRESSION_FAILED = "gatewright.regression.failed"


async def publish_report(run_id: str, text: str) -> None:
    """Publish a report to the flow run it was made in. Needs a running flow or task."""
    from prefect.artifacts import (
        acreate_markdown_artifact,  # 2 s to import, paid only inside of a flow
    )

    if len(text.encode()) > MOST_BYTES:
        text = text.encode()[:MOST_BYTES].decode(errors="ignore") + "\n\n… cut; see the HTML report"
    await acreate_markdown_artifact(text, key=f"report-{run_id}".lower(), description=run_id)


def alert(target: str, payload: Mapping[str, Any]) -> None:
    """Tell Prefect that a target's live model no longer holds; an automation on the event tells people."""
    from prefect.events import emit_event

    emit_event(
        event=REGRESSION_FAILED,
        resource={"prefect.resource.id": f"gatewright.target.{target}"},
        payload=dict(payload),
    )
