"""Starts the flow run of a trigger once, and once more only when the one before is surely dead.

Prefect's idempotency key makes it once. The keys of one trigger form a chain: `target:job`, `target:job#2`, `…#3`. The
chain is walked from its start every time, so nothing has to be remembered:

    run is not on record                ──▶ it is put there first: what is lost after that is seen, and found again
    run is over, or waits for a person  ──▶ nothing to do, Prefect is not asked
    flow run is scheduled, pending, paused, cancelled ──▶ it is under way, or a person stopped it: nothing to do
    flow run failed or crashed, and the run isn't over ──▶ next key
    flow run is running or pending ──▶ while its process lives: nothing to do; once that is dead: it is closed as
                            crashed, next key

A process that carries a run out renews its lease. Before it has one, signs of life are the run's changes in the registry
and the files it writes. Two at once do no harm: the second waits until the first gives the lease back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.records import Record
from flows.evaluation.request import request_run, run_id_of
from flows.orchestration.prefect_api import FINAL_STATES
from flows.orchestration.target_lease import died
from flows.orchestration.this_process import is_gone
from flows.orchestration.triggers import DEPLOYMENT
from flows.platforms.base import TriggerRef
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.settings import Settings

__all__ = [
    "MOST_STARTS",
    "QUIET_S",
    "SILENCE_S",
    "StartOrder",
    "Started",
    "is_dead",
    "job_order",
    "settled",
    "silent_for",
    "start",
    "state_of",
]

SILENCE_S = 600.0
"""How long a flow run that a worker was given, and has not begun with, may be silent, in seconds."""
QUIET_S = 45.0
"""How long one that began may be silent before it has its lease, in seconds; each time it is replaced, twice as long."""
MOST_STARTS = 5
STARTING_S = 20.0
"""How long a flow run whose process is not found here may take to begin, in seconds; each time it is replaced, twice as
long: the process may belong to another machine, or the record name that of an earlier life of it."""

_ENDED_BADLY = frozenset({"FAILED", "CRASHED"})


class StartOrder(Record, frozen=True, kw_only=True):
    """One promotion to be started: the flow's parameters, the key, and the run it is about.

    `resumes` is set when it follows a person's answer: then the run is expected to wait.
    """

    target: str
    run_id: str
    key: str
    parameters: dict[str, Any]
    name: str
    resumes: bool = False


class Started(Record, frozen=True, kw_only=True):
    """What came of an order. `under_way` says that a flow run carries it out; `said` is why, or why not.

    `settled` is the state of a run that needs nothing more, "" of any other.
    """

    target: str
    said: str
    under_way: bool = False
    settled: str = ""

    @property
    def words(self) -> str:
        """The same in one line that names the target."""
        return f"{self.target}: {self.said}"


def job_order(target: str, job_id: str, requested_by: str = "webhook") -> StartOrder:
    """Return the order for a job's model: whoever asks for it, it has the same run and the same key."""
    return StartOrder(
        target=target,
        run_id=run_id_of(target, "promotion", {"job_id": job_id}),
        key=f"{target}:{job_id}",
        parameters={"target": target, "job_id": job_id, "requested_by": requested_by},
        name=f"{target} {job_id}",
    )


async def start(
    api: PrefectRuns,
    registry: Registry,
    settings: Settings,
    order: StartOrder,
    *,
    silence_s: float = SILENCE_S,
) -> Started:
    """Have the order carried out and return what was done: its run is on record then, and alive in Prefect.

    Raises:
        ConfigurationError: target, gate or suites of a new run have problems, or Prefect has no such deployment.
        InfrastructureError: Prefect can't be asked.
    """
    await asyncio.to_thread(_record, registry, settings, order)
    if (known := settled(registry, order)) is not None:
        return known
    for number in range(1, MOST_STARTS + 1):
        key = order.key if number == 1 else f"{order.key}#{number}"
        flow_run = await api.create_flow_run(
            DEPLOYMENT, order.parameters, idempotency_key=key, name=order.name
        )
        found = await api.flow_run(flow_run)
        if not await is_dead(api, registry, settings, order, found, silence_s, number):
            said = f"flow run {flow_run} is {state_of(found)} (key {key})"
            going = str(found["state_type"]) not in FINAL_STATES
            return Started(target=order.target, said=said, under_way=going)
        if (known := settled(registry, order)) is not None:
            return known
    said = f"run {order.run_id} died {MOST_STARTS} times; it is not started again by itself"
    return Started(target=order.target, said=said)


def _record(registry: Registry, settings: Settings, order: StartOrder) -> None:
    """Put the run of a job on record; those of other orders are, or they would not be known."""
    job_id = order.parameters.get("job_id")
    plain = job_id and not order.parameters.get("checkpoint")
    if plain and not order.resumes and registry.run(order.run_id) is None:
        ref, actor = TriggerRef(job_id=job_id), order.parameters["requested_by"]
        request_run(settings, order.target, ref, kind="promotion", actor=actor)


def settled(registry: Registry, order: StartOrder) -> Started | None:
    """Say that an order's run needs nothing more; None when it does."""
    run = registry.run(order.run_id)
    if run is None or not run.settled or (order.resumes and run.state == "waiting"):
        return None
    said = f"run {run.run_id} is {run.state}"
    return Started(target=order.target, said=said, settled=run.state)


async def is_dead(
    api: PrefectRuns,
    registry: Registry,
    settings: Settings,
    order: StartOrder,
    found: Mapping[str, Any],
    silence_s: float,
    number: int = 1,
) -> bool:
    """Say whether a flow run will not carry its order out any more; one whose process is dead is closed.

    `number` counts the order's flow runs from 1.
    """
    state, run = str(found["state_type"]), registry.run(order.run_id)
    if state in _ENDED_BADLY:
        return True
    if (
        state == "COMPLETED"
    ):  # it ended in order, and what it tried failed outside of Prefect's sight
        return run is not None and run.state == "failed"
    if state not in ("RUNNING", "PENDING") or not _is_abandoned(
        registry, settings, order, found, silence_s, 2 ** (number - 1)
    ):
        return False
    await api.close_dead(str(found["id"]), "the process that carried it out is dead")
    return True


def _is_abandoned(
    registry: Registry,
    settings: Settings,
    order: StartOrder,
    found: Mapping[str, Any],
    silence_s: float,
    patience: int,
) -> bool:
    """Say whether no process carries a run out, or begins to, by its lease, by the worker's record, or by its silence.

    `patience` is how many times as long as usual is waited, since the flow runs before were replaced, too.
    """
    lease, run = registry.lease(order.run_id), registry.run(order.run_id)
    began = max(_seconds(found.get(key)) for key in ("start_time", "expected_start_time"))
    if lease is not None and lease.holder:
        if not died(lease):
            return False
        if began <= time.time() - lease.silent_s:  # one that began since then has yet to take it
            return True
    entered = max(began, _seconds((found.get("state") or {}).get("timestamp")))
    if time.time() - entered > STARTING_S * patience and is_gone(
        str(found.get("infrastructure_pid") or "")
    ):
        return True
    # That a run was put on record is no sign of its flow run's life.
    heard = None if run is None or run.state == "requested" else run
    if found["state_type"] == "RUNNING":
        silence_s = min(silence_s, QUIET_S * patience)
    return silent_for(settings, heard, entered) >= silence_s


def silent_for(settings: Settings, run: RunRecord | None, since: float = 0.0) -> float:
    """Return the seconds since anything was heard of a run: `since`, its changes in the registry, its files."""
    heard = [since]
    if run is not None:
        heard.append(_seconds(run.updated_at))
        heard.append(_newest_file(settings.run_folder(run.run_id)))
    return time.time() - max(heard)


def _newest_file(folder: Path) -> float:
    return max((path.stat().st_mtime for path in folder.rglob("*") if path.is_file()), default=0.0)


def _seconds(moment: Any) -> float:
    if not isinstance(moment, str) or not moment:
        return 0.0
    found = datetime.fromisoformat(moment)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def state_of(found: Mapping[str, Any]) -> str:
    """Return a flow run's state in a word."""
    return str(found["state_type"]).lower()
