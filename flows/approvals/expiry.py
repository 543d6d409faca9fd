"""Questions whose time is up: nobody answered, and expiry is rejection."""

from __future__ import annotations

from evals.errors import ConfigurationError, RefusedError
from flows.approvals.questions import question_of
from flows.approvals.suspended_runs import resume_unanswerable
from flows.registry.opening import open_registry
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["close_expired"]


async def close_expired(settings: Settings) -> tuple[str, ...]:
    """Refuse every waiting run whose question expired, and have its suspended flow run end. Returns the runs' ids.

    What such a run deployed for production already is removed by its flow run, or by the next sweep.
    """
    with open_registry(settings) as registry:
        closed = {
            run.run_id: run.target
            for run in registry.runs(limit=1000)
            if run.state == "waiting" and _expired(settings, registry, run.run_id)
        }
    for target in sorted(set(closed.values())):
        await resume_unanswerable(settings, target)
    return tuple(closed)


def _expired(settings: Settings, registry: Registry, run_id: str) -> bool:
    run = registry.run(run_id)
    assert run is not None, "it was just listed"
    try:
        question = question_of(settings, registry, run)
    except (ConfigurationError, RefusedError):  # going on with the run says what is wrong
        return False
    if question is None or not question.expired or question.enough:
        return False
    why = f"the question stood open until {question.deadline}, and expiry is rejection"
    registry.set_run_state(run_id, "refused", why)
    return True
