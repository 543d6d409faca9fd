"""What a run shows in Prefect's own pages: how far asking is, and its report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from evals.sampling.progress.displays import progress_lines
from evals.sampling.progress.snapshot import ProgressSink, Snapshot

__all__ = [
    "CANARY_CHANGED",
    "DRIFT_FOUND",
    "LIFECYCLE_WARNING",
    "REGRESSION_CHANGED",
    "REGRESSION_FAILED",
    "alert",
    "publish_report",
    "showing_progress",
]

MOST_BYTES = 20_000
PROGRESS_EVERY_S = 3.0
_PATIENCE_S = 5.0
_REPORT_PATIENCE_S = 60.0
REGRESSION_FAILED = "gatewright.regression.failed"
REGRESSION_CHANGED = "gatewright.regression.changed"
DRIFT_FOUND = "gatewright.drift.found"
LIFECYCLE_WARNING = "gatewright.lifecycle.warning"
CANARY_CHANGED = "gatewright.canary.changed"


async def publish_report(run_id: str, text: str) -> None:
    """Publish a report to the flow run it was made in. Needs a running flow or task.

    A server that is away misses it, which is logged: the report stands in the run's folder all the same.
    """
    from prefect.artifacts import (
        acreate_markdown_artifact,  # 2 s to import, paid only inside of a flow
    )

    if len(text.encode()) > MOST_BYTES:
        text = text.encode()[:MOST_BYTES].decode(errors="ignore") + "\n\n… cut; see the HTML report"
    try:
        async with asyncio.timeout(_REPORT_PATIENCE_S):
            key = f"report-{run_id}".lower()
            await acreate_markdown_artifact(text, key=key, description=run_id)
    except Exception as error:  # whatever ails the server, the run has come to its end
        _log_why("the report could not be shown in Prefect: %s", error)


@asynccontextmanager
async def showing_progress(run_id: str, notes: Sequence[str] = ()) -> AsyncIterator[ProgressSink]:
    """Show snapshots as the run's progress artifact, now and then and at the end; `notes` are lines below it.

    Asking never waits for it and never fails by it: a server that is busy misses an update. Needs a running flow or task.
    """
    page = _ProgressPage(run_id, notes)
    sending = asyncio.create_task(page.send_often())
    try:
        yield page
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    await page.send()


class _ProgressPage:
    """Keeps the newest snapshot; what is sent of it is another task's affair, so that `update` costs nothing."""

    def __init__(self, run_id: str, notes: Sequence[str]) -> None:
        self._key = f"progress-{run_id}".lower()
        self._notes = notes
        self._newest: Snapshot | None = None
        self._sent: Snapshot | None = None
        self._id: UUID | None = None
        self._missed = False

    def update(self, snapshot: Snapshot) -> None:
        if snapshot.note and (self._newest is None or snapshot.note != self._newest.note):
            self._log_note(snapshot.note)
        self._newest = snapshot

    async def send_often(self) -> None:
        """Send what is new every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            await self.send()

    async def send(self) -> None:
        """Send the newest snapshot, if it was not sent yet; trouble is logged once in a row."""
        newest = self._newest
        if newest is None or newest is self._sent:
            return
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._put(newest)
        except Exception as error:  # whatever ails the server, it is no reason to stop asking
            self._log_missed(error)
        else:
            self._sent, self._missed = newest, False

    async def _put(self, newest: Snapshot) -> None:
        from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact

        text = "\n\n".join([*progress_lines(newest), *self._notes])
        share = 100.0 * _share(newest)
        if self._id is None:
            self._id = await acreate_progress_artifact(share, key=self._key, description=text)
        else:
            await aupdate_progress_artifact(self._id, share, description=text)

    def _log_note(self, note: str) -> None:
        from prefect import get_run_logger

        get_run_logger().info("%s", note)

    def _log_missed(self, error: Exception) -> None:
        if not self._missed:
            _log_why("the progress page could not be updated: %s", error)
        self._missed = True


def _log_why(message: str, error: Exception) -> None:
    from prefect import get_run_logger

    get_run_logger().warning(message, str(error) or type(error).__name__)


def _share(snapshot: Snapshot) -> float:
    """The part of all that may be asked which is done, from 0 to 1."""
    planned = sum(seen.planned or 0 for seen in snapshot.roles.values())
    done = sum(seen.done for seen in snapshot.roles.values())
    return min(1.0, done / planned) if planned else 0.0


def alert(
    target: str, payload: Mapping[str, Any], *, event: str = REGRESSION_FAILED, once: str = ""
) -> None:
    """Tell Prefect that a target's live model no longer holds, or `event`; an automation on it tells people.

    What is told again for the same `once` is the same event. Without a Prefect server there is nobody to tell.
    """
    from prefect.events import emit_event
    from prefect.settings import get_current_settings

    if not get_current_settings().api.url:  # Prefect would start a server of its own for it
        return
    emit_event(
        id=uuid5(NAMESPACE_URL, f"{event}/{once}") if once else uuid4(),
        event=event,
        resource={"prefect.resource.id": f"gatewright.target.{target}"},
        payload=dict(payload),
    )
