"""Waiting for a person without a process: the flow run is suspended, its process ends, and an answer resumes it.

Whoever answers in Prefect's own pages fills in `ResumeInput`; the command line and the review pages leave their answer
in the registry and resume the flow run only so that it goes on. The registry's rules hold for both alike.
"""

from __future__ import annotations

from typing import Literal

from prefect import get_run_logger, runtime
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput

from evals.errors import ConfigurationError, RefusedError
from flows.approvals.answers import give_answer
from flows.approvals.questions import Question
from flows.approvals.suspended_runs import LOOK_AGAIN, note_resumed, note_suspended, open_question
from flows.registry.opening import open_registry, require_run
from flows.settings import load_settings

__all__ = ["ResumeInput", "suspends", "wait_for_people"]


class ResumeInput(RunInput):
    """What a person says about a run that waits. No field has a default, so that an empty resume answers nothing."""

    decision: Literal["approve", "override", "reject", "look again"]
    who: str
    reason: str


def suspends() -> bool:
    """Say whether this flow run can be suspended: it can when a deployment started it, and a worker can do so again."""
    return runtime.deployment.id is not None and runtime.flow_run.parent_flow_run_id is None


async def wait_for_people(run_id: str) -> bool:
    """Suspend this flow run until its run's question is answered; returns False when there is none to wait for.

    Called again after the flow run was resumed, it takes the answer instead. An answer that the gate does not let this
    person give is logged; the next call waits again.
    """
    settings, flow_run_id = load_settings(), str(runtime.flow_run.id)
    with open_registry(settings) as registry:
        question = open_question(settings, registry, require_run(registry, run_id))
        if question is None:
            note_resumed(registry, run_id, flow_run_id)
            return False
        key = note_suspended(registry, question, flow_run_id)
    asked = ResumeInput.with_initial_data(description=_described(question))
    _take(question, await asuspend_flow_run(wait_for_input=asked, key=key))
    with open_registry(settings) as registry:
        note_resumed(registry, run_id, flow_run_id)
    return True


def _take(question: Question, answer: ResumeInput) -> None:
    if answer.decision == LOOK_AGAIN:
        return
    settings = load_settings()
    try:
        with open_registry(settings) as registry:
            outcome = give_answer(
                settings,
                registry,
                question.run_id,
                answer.decision,
                actor=answer.who,
                reason=answer.reason,
                evidence=question.binding.evidence_digest,
            )
        get_run_logger().info("%s", outcome)
    except (RefusedError, ConfigurationError) as error:
        get_run_logger().warning("the answer of %s was not taken: %s", answer.who, error)


def _described(question: Question) -> str:
    until = f" until {question.deadline[:19]} UTC" if question.deadline else ""
    but = f", not by {' or '.join(question.excluded)}" if question.excluded else ""
    return (
        f"Run `{question.run_id}` of **{question.target}** waits for a person{until}.\n\n"
        f"{question.asks}\n\n"
        f"It takes `{question.wanted}` by {question.required}{but}; given by {len(question.given)} so far. "
        "`who` is your name, for the record. `look again` answers nothing.\n\n"
        f"Read the report first: `gatewright report {question.run_id}`"
    )
