"""Suspended flow runs, seen from outside of Prefect: which one waits for a run's answer, and having it go on.

A flow run leaves a mark in the registry before it is suspended. Whatever answers its question resumes it; what finds the
run over, or its question void, resumes it too, so that none is left waiting for ever.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from evals.errors import ConfigurationError, InfrastructureError, RefusedError
from flows.approvals.questions import Question, question_of
from flows.orchestration.prefect_api import PrefectApi
from flows.registry.opening import open_registry, require_run
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = [
    "LOOK_AGAIN",
    "how_it_ended",
    "last_suspended",
    "note_lost",
    "note_resumed",
    "note_suspended",
    "open_question",
    "resume",
    "resume_unanswerable",
    "suspended_as",
    "was_suspended",
]

LOOK_AGAIN: Final = "look again"
STEP = "waiting for a person"


def open_question(settings: Settings, registry: Registry, run: RunRecord) -> Question | None:
    """Return the question that a waiting run still has to wait for; None when it can go on, or has to be closed."""
    if run.state != "waiting" or run.baseline_generation != registry.generation(run.target):
        return None
    try:
        question = question_of(settings, registry, run)
    except (RefusedError, ConfigurationError):  # going on finds the same and says so
        return None
    if question is None or question.enough or question.expired or question.wanted is None:
        return None
    return question


def note_suspended(registry: Registry, question: Question, flow_run_id: str) -> str:
    """Leave the mark by which a suspended flow run is found again, and return the key of this wait.

    The key names what was judged and counts the waits for it: an answer to one question is never taken for another's.
    Until `note_resumed` the same question has the same key, in whichever process.
    """
    run_id, evidence = question.run_id, question.binding.evidence_digest.removeprefix("sha256:")
    stem = f"{run_id}-{question.slot}-{evidence[:12]}"
    ours = [
        mark
        for mark in registry.steps(run_id)
        if mark.step == STEP
        and (mark.detail["flow_run"], mark.detail["for"]) == (flow_run_id, stem)
    ]
    key = f"{stem}-{1 + sum(mark.phase == 'done' for mark in ours)}"
    if key not in {mark.detail["key"] for mark in ours}:
        detail = {"flow_run": flow_run_id, "for": stem, "key": key}
        registry.record_step(run_id, STEP, "begun", detail)
    return key


def note_resumed(registry: Registry, run_id: str, flow_run_id: str) -> None:
    """Say that a flow run waits no more, if it was on record as waiting."""
    for detail in _open_marks(registry, run_id):
        if detail["flow_run"] == flow_run_id:
            registry.record_step(run_id, STEP, "done", detail)


def note_lost(registry: Registry, run_id: str, flow_run_id: str) -> None:
    """Say that a flow run that was suspended for this run will not carry it out; another one does."""
    if last_suspended(registry, run_id) == flow_run_id:
        detail = [mark.detail for mark in registry.steps(run_id) if mark.step == STEP][-1]
        why = {"error": f"flow run {flow_run_id} was lost"}
        registry.record_step(run_id, STEP, "failed", detail | why)


def suspended_as(registry: Registry, run_id: str) -> str | None:
    """Return the id of the flow run that is suspended for this run's question, None when none is."""
    waiting = _open_marks(registry, run_id)
    return str(waiting[-1]["flow_run"]) if waiting else None


def last_suspended(registry: Registry, run_id: str) -> str | None:
    """Return the id of the flow run that was suspended last for this run, whether it still waits or goes on already;
    None when there was none, or it is on record as lost.
    """
    marks = [mark for mark in registry.steps(run_id) if mark.step == STEP]
    found = bool(marks) and marks[-1].phase != "failed"
    return str(marks[-1].detail["flow_run"]) if found else None


def was_suspended(registry: Registry, run_id: str) -> bool:
    """Say whether a flow run was ever suspended for this run's question."""
    return any(mark.step == STEP for mark in registry.steps(run_id))


def _open_marks(registry: Registry, run_id: str) -> list[dict[str, Any]]:
    marks = [mark for mark in registry.steps(run_id) if mark.step == STEP]
    over = {
        (mark.detail["flow_run"], mark.detail["key"]) for mark in marks if mark.phase != "begun"
    }
    begun = [mark.detail for mark in marks if mark.phase == "begun"]
    return [detail for detail in begun if (detail["flow_run"], detail["key"]) not in over]


async def resume(
    api: PrefectApi, flow_run_id: str, *, decision: str = LOOK_AGAIN, who: str, reason: str
) -> bool:
    """Have a suspended flow run go on; False when it is not suspended (any more). Raises InfrastructureError."""
    return await api.resume(flow_run_id, {"decision": decision, "who": who, "reason": reason})


def how_it_ended(found: Mapping[str, Any] | None) -> str:
    """Say what became of a flow run that can't be resumed, as Prefect tells it; None is one that it does not know."""
    if found is None:
        return "is not known to Prefect any more"
    state = str(found["state_type"]).lower()
    return (
        f"was {state} in Prefect" if state in ("cancelled", "completed") else f"{state} in Prefect"
    )


async def resume_unanswerable(
    settings: Settings, target: str, *, but: str | None = None
) -> tuple[str, ...]:
    """Resume every suspended flow run of a target whose question is void by now; `but` is a flow run to leave alone.

    Returns the ids of their runs. Without PREFECT_API_URL there is nobody to ask, and nothing is done.
    """
    found = {run: flow for run, flow in _void(settings, target).items() if flow != but}
    if not found or not os.environ.get("PREFECT_API_URL"):
        return ()
    woken = []
    async with PrefectApi.from_environment() as api:
        for run_id, flow_run_id in found.items():
            with suppress(InfrastructureError):  # a courtesy: the next one to look tries again
                if await resume(api, flow_run_id, who="gatewright", reason="the question is void"):
                    woken.append(run_id)
                else:
                    _forget(settings, run_id, flow_run_id)
    return tuple(woken)


def _forget(settings: Settings, run_id: str, flow_run_id: str) -> None:
    with open_registry(settings) as registry:
        note_resumed(registry, run_id, flow_run_id)


def _void(settings: Settings, target: str) -> dict[str, str]:
    """Run -> flow run, of what was suspended last and has nothing to wait for."""
    with open_registry(settings) as registry:
        runs = [run for run in registry.runs(target, 200) if run.kind == "promotion"]
        pairs = {run.run_id: suspended_as(registry, run.run_id) for run in runs}
        return {
            run_id: flow_run_id
            for run_id, flow_run_id in pairs.items()
            if flow_run_id is not None
            and open_question(settings, registry, require_run(registry, run_id)) is None
        }
