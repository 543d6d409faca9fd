"""What the dispatcher needs of Prefect beyond starting: is somebody at work for a target, and closing a dead run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flows.orchestration.prefect_api import PrefectApi

__all__ = ["PrefectRuns"]


class PrefectRuns(PrefectApi):
    """A Prefect server, asked with less patience than a person has: the inbox keeps what could not be started."""

    async def holders(self, lock: str) -> int:
        """Return how many hold a concurrency limit. A killed holder counts until its lease ends, about a minute."""
        answer = await self._ask("GET", f"v2/concurrency_limits/{quote(lock, safe='')}")
        if answer.status_code == 404:  # made by the first promotion of the target
            return 0
        return int(self._checked(answer)["active_slots"])

    async def close_dead(self, flow_run_id: str, why: str) -> Mapping[str, Any]:
        """Mark a run that nobody executes as crashed, so that it does not look alive for ever."""
        state = {"type": "CRASHED", "name": "Crashed", "message": why}
        body = {"state": state, "force": True}
        return self._checked(
            await self._ask("POST", f"flow_runs/{flow_run_id}/set_state", json=body)
        )
