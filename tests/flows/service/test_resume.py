"""What an answer on a page does to the flow run that was suspended for it, whatever happens meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from flows.approvals.answers import answer_run
from flows.approvals.questions import question_of
from flows.approvals.suspended_runs import note_resumed, note_suspended, suspended_as
from flows.service.dispatcher.dispatch import Dispatcher
from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.service.dispatcher.queue_resume import queue_forgotten, queue_resume
from flows.service.dispatcher.timing import Timing

MESSAGE = "triage-1:answer:1"


def waits_in(flow_run: str, settings: Any, story: Any, registry: Any) -> str:
    """Have a run wait for a person, and a flow run suspended for it."""
    question = question_of(settings, registry, story.judged("INCONCLUSIVE"))
    assert question is not None
    note_suspended(registry, question, flow_run)
    return flow_run


def answered(settings: Any, registry: Any, decision: Any = "approve") -> None:
    """Answer as the page does."""
    answer_run(settings, "triage-1", decision, actor="bo", reason="read it")
    assert queue_resume(registry, "triage-1")


async def drained(settings: Any, registry: Any, prefect: Any, pauses: Timing | None = None) -> str:
    """Try the message about the answer once more, as a dispatcher that was just started does."""
    async with PrefectRuns(prefect.url, patience_s=0.1) as api:
        said = await Dispatcher(settings, registry, api, pauses).drain()
    return said[MESSAGE]


def test_the_suspended_flow_run_itself_goes_on(
    service: Any, settings: Any, story: Any, prefect: Any, registry: Any
) -> None:
    flow_run = waits_in(prefect.suspended(), settings, story, registry)
    answered(settings, registry)
    said = service.outcome(MESSAGE)
    assert said == f"triage: flow run {flow_run}, which waited for the answer, goes on"
    # The answer itself is in the registry, bound to its evidence; Prefect is only told to go on.
    assert prefect.resumed == [
        (flow_run, {"decision": "look again", "who": "gatewright", "reason": "answered"})
    ]
    assert prefect.keys == []


async def test_while_prefect_is_busy_or_down_the_answer_is_kept_and_resumes_later(
    settings: Any, story: Any, prefect: Any, registry: Any
) -> None:
    flow_run = waits_in(prefect.suspended(), settings, story, registry)
    answered(settings, registry)
    prefect.down = True
    assert "503" in await drained(settings, registry, prefect)
    assert [message.attempts for message in registry.inbox_pending()] == [1]
    prefect.down = False
    assert "goes on" in await drained(settings, registry, prefect)
    assert ([one for one, _ in prefect.resumed], prefect.keys) == ([flow_run], [])


@pytest.mark.parametrize("taken_up", ["SCHEDULED", "PENDING"])
async def test_a_message_tried_twice_resumes_once_and_starts_nothing(
    settings: Any, story: Any, prefect: Any, registry: Any, taken_up: str
) -> None:
    """The service died after Prefect had taken the answer, before it wrote that down."""
    flow_run = waits_in(prefect.suspended(taken_up), settings, story, registry)
    answered(settings, registry)
    said = await drained(settings, registry, prefect)
    assert said == f"triage: flow run {flow_run} is {taken_up.lower()} already"
    assert (prefect.resumed, prefect.keys) == ([], [])


async def test_a_flow_run_that_took_the_answer_is_left_to_carry_it_out(
    settings: Any, story: Any, prefect: Any, registry: Any
) -> None:
    flow_run = waits_in(prefect.suspended("RUNNING"), settings, story, registry)
    note_resumed(registry, "triage-1", flow_run)
    answered(settings, registry)
    assert "is running already" in await drained(settings, registry, prefect)
    assert prefect.keys == []


async def test_an_answer_that_comes_before_the_suspension_is_complete_resumes_it_afterwards(
    settings: Any, story: Any, prefect: Any, registry: Any
) -> None:
    flow_run = waits_in(prefect.suspended("RUNNING"), settings, story, registry)
    answered(settings, registry)
    assert "on record as waiting" in await drained(settings, registry, prefect)
    prefect.runs[flow_run]["state_type"] = "PAUSED"
    assert "goes on" in await drained(settings, registry, prefect)
    assert ([one for one, _ in prefect.resumed], prefect.keys) == ([flow_run], [])


@pytest.mark.parametrize("state", ["FAILED", "CRASHED", "CANCELLED", "COMPLETED", "gone"])
async def test_one_that_is_over_or_unknown_is_replaced_by_a_fresh_flow_run_once(
    settings: Any, story: Any, prefect: Any, registry: Any, state: str
) -> None:
    flow_run = waits_in(prefect.suspended(state), settings, story, registry)
    if state == "gone":
        del prefect.runs[flow_run]
    answered(settings, registry)
    said = await drained(settings, registry, prefect)
    assert f"(key {MESSAGE})" in said
    ended = {"gone": "is not known to Prefect any more", "CANCELLED": "was cancelled in Prefect"}
    told = f"flow run {flow_run}, which waited for the answer, {ended.get(state, state.lower())}"
    assert told in said.replace("was completed", "completed")
    assert suspended_as(registry, "triage-1") is None
    assert prefect.keys == [MESSAGE]


async def test_one_that_nobody_executes_is_closed_and_replaced(
    settings: Any, story: Any, prefect: Any, registry: Any
) -> None:
    flow_run = waits_in(prefect.suspended("RUNNING"), settings, story, registry)
    answered(settings, registry)
    said = await drained(settings, registry, prefect, Timing(silence=0.0))
    assert f"(key {MESSAGE})" in said
    assert (prefect.closed, prefect.keys) == ([flow_run], [MESSAGE])


async def test_a_rejection_has_the_flow_run_that_waited_end(
    settings: Any, story: Any, prefect: Any, registry: Any
) -> None:
    flow_run = waits_in(prefect.suspended(), settings, story, registry)
    answered(settings, registry, "reject")
    assert registry.run("triage-1").state == "refused"
    assert "goes on" in await drained(settings, registry, prefect)
    assert ([one for one, _ in prefect.resumed], prefect.keys) == ([flow_run], [])


@pytest.mark.parametrize("state", ["FAILED", "gone"])
async def test_a_rejected_run_is_started_by_nobody_when_its_flow_run_is_over(
    settings: Any, story: Any, prefect: Any, registry: Any, state: str
) -> None:
    flow_run = waits_in(prefect.suspended(state), settings, story, registry)
    if state == "gone":
        del prefect.runs[flow_run]
    answered(settings, registry, "reject")
    said = await drained(settings, registry, prefect)
    assert said.endswith("; triage: run triage-1 is refused")
    assert (prefect.resumed, prefect.keys) == ([], [])


def test_an_approver_is_told_that_the_flow_run_was_cancelled(
    settings: Any, project: Any, story: Any, registry: Any, prefect: Any, service: Any
) -> None:
    flow_run = waits_in(prefect.suspended("CANCELLED"), settings, story, registry)
    told = project.command(
        "reject",
        "triage-1",
        "--reason",
        "worse",
        GATEWRIGHT_ACTOR="bo",
        PREFECT_API_URL=prefect.url,
    )
    words = f"flow run {flow_run}, which waited for the answer, was cancelled in Prefect"
    assert words in told.err
    assert queue_resume(registry, "triage-1")
    assert words in service.outcome(MESSAGE)
    assert words in service.get("/runs/triage-1").text


def test_a_page_that_takes_a_rejection_ends_the_flow_run_too(
    settings: Any, story: Any, registry: Any, prefect: Any
) -> None:
    """The service died between the rejection and the message about it; the sweep of answers finds it."""
    waits_in(prefect.suspended(), settings, story, registry)
    answer_run(settings, "triage-1", "reject", actor="bo", reason="worse")
    assert queue_forgotten(settings, registry, grace_s=0) == 1
    assert queue_forgotten(settings, registry, grace_s=0) == 0
