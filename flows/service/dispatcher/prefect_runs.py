"""What the dispatcher needs of Prefect beyond starting: closing a dead run, and less patience."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.orchestration.prefect_api import PrefectApi

__all__ = ["PrefectRuns"]


class PrefectRuns(PrefectApi):
    """A Prefect server, asked with less patience than a person has: the inbox keeps what could not be started."""

    async def close_dead(self, flow_run_id: str, why: str) -> Mapping[str, Any]:
        """Mark a run that nobody executes as crashed, so that it does not look alive for ever."""
        state = {"type": "CRASHED", "name": "Crashed", "message": why}
        body = {"state": state, "force": True}
        return self._checked(
            await self._ask("POST", f"flow_runs/{flow_run_id}/set_state", json=body)
        )
