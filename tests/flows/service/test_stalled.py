"""Promotions whose flow run died on the way: found by the service without another message, and brought to an end."""

from __future__ import annotations

from typing import Any

import pytest

from flows.approvals.answers import answer_run
from flows.approvals.questions import question_of
from flows.approvals.suspended_runs import note_resumed, note_suspended
from flows.evaluation.request import run_id_of
from flows.registry.records import RunRecord
from flows.service.dispatcher.dispatch import Dispatcher
from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.service.dispatcher.queue_resume import queue_resume
from flows.service.dispatcher.stalled import stalled
from flows.service.dispatcher.timing import Timing

KEY = "triage-1:answer:1"
DAY_S = 86400.0


@pytest.fixture
def taken_up(settings: Any, story: Any, registry: Any, prefect: Any) -> Any:
    """An approved run whose flow run, suspended before, took the answer and began to promote."""

    def begin(state: str) -> str:
        flow_run = str(prefect.suspended(state))
        question = question_of(settings, registry, story.judged("INCONCLUSIVE"))
        assert question is not None
        note_suspended(registry, question, flow_run)
        answer_run(settings, "triage-1", "approve", actor="bo", reason="read it")
        note_resumed(registry, "triage-1", flow_run)
        registry.set_run_state("triage-1", "promoting", "deploying")
        return flow_run

    return begin


@pytest.fixture
def looked(settings: Any, registry: Any, prefect: Any) -> Any:
    """Have a service that was just started look once at what stands still, and return what it said of each run."""

    async def look() -> dict[str, str]:
        pauses = Timing(silence=0.0)
        async with PrefectRuns(prefect.url, patience_s=0.1) as api:
            return await Dispatcher(settings, registry, api, pauses).look_after()

    return look


@pytest.mark.parametrize("state", ["CRASHED", "FAILED", "RUNNING", "gone"])
async def test_an_approved_run_whose_flow_run_died_goes_on_in_a_fresh_one_once(
    looked: Any, taken_up: Any, prefect: Any, state: str
) -> None:
    flow_run = taken_up(state)
    if state == "gone":
        del prefect.runs[flow_run]
    assert f"(key {KEY})" in (await looked())["triage-1"]
    assert "is scheduled" in (await looked())["triage-1"]
    assert set(prefect.keys) == {KEY}
    assert len([run for run in prefect.runs.values() if run["idempotency_key"] == KEY]) == 1


async def test_the_fresh_one_dying_too_is_replaced(
    looked: Any, taken_up: Any, prefect: Any
) -> None:
    taken_up("CRASHED")
    await looked()
    prefect.end(KEY, "CRASHED")
    assert f"(key {KEY}#2)" in (await looked())["triage-1"]


async def test_an_answered_run_that_never_came_to_move_is_found_too(
    looked: Any, settings: Any, story: Any, registry: Any, prefect: Any
) -> None:
    """The message about the answer is dealt with, and the flow run it started died before it did anything."""
    story.judged("INCONCLUSIVE")
    answer_run(settings, "triage-1", "approve", actor="bo", reason="read it")
    assert queue_resume(registry, "triage-1")
    registry.inbox_done(KEY, "started")
    await looked()
    prefect.end(KEY, "CRASHED")
    assert f"(key {KEY}#2)" in (await looked())["triage-1"]


async def test_a_flow_run_that_a_person_cancelled_is_not_started_again(
    looked: Any, taken_up: Any, prefect: Any
) -> None:
    taken_up("CANCELLED")
    assert "was cancelled" in (await looked())["triage-1"]
    assert prefect.keys == []


async def test_while_prefect_is_down_it_is_looked_at_again_later(
    looked: Any, taken_up: Any, prefect: Any
) -> None:
    taken_up("CRASHED")
    prefect.down = True
    assert "503" in (await looked())["triage-1"]
    prefect.down = False
    assert f"(key {KEY})" in (await looked())["triage-1"]


def webhook_run(registry: Any, requested_by: str = "webhook") -> str:
    trigger = {"job_id": "ftjob-7"}
    run_id = run_id_of("triage", "promotion", trigger)
    run = RunRecord(
        run_id=run_id,
        target="triage",
        kind="promotion",
        requested_by=requested_by,
        trigger=trigger,
        policy="triage",
    )
    registry.start_run(run)
    registry.set_run_state(run_id, "evaluating", "")
    return str(run_id)


@pytest.mark.parametrize("requested_by", ["webhook", "watch"])
async def test_what_a_finished_fine_tune_started_is_started_again_when_it_died(
    looked: Any, registry: Any, prefect: Any, requested_by: str
) -> None:
    run_id = webhook_run(registry, requested_by)
    await looked()
    prefect.end("triage:ftjob-7", "CRASHED")
    assert "(key triage:ftjob-7#2)" in (await looked())[run_id]


@pytest.mark.parametrize("state", ["refused", "failed", "waiting"])
def test_what_is_over_or_waits_for_people_does_not_stand_still(
    settings: Any, registry: Any, state: Any
) -> None:
    registry.set_run_state(webhook_run(registry), state, "")
    assert stalled(settings, registry, silence_s=0) == ()


def test_a_run_that_is_heard_of_or_that_everybody_forgot_is_left_alone(
    settings: Any, registry: Any
) -> None:
    run_id = webhook_run(registry)
    assert [order.run_id for order in stalled(settings, registry, silence_s=0)] == [run_id]
    assert stalled(settings, registry, silence_s=DAY_S) == ()
    assert stalled(settings, registry, silence_s=0, longest_s=0) == ()


def test_a_run_that_a_person_carries_out_by_hand_is_that_persons(
    settings: Any, story: Any, registry: Any
) -> None:
    story.judged("INCONCLUSIVE", requested_by="ana")
    answer_run(settings, "triage-1", "approve", actor="bo", reason="read it")
    registry.set_run_state("triage-1", "promoting", "deploying")
    assert stalled(settings, registry, silence_s=0) == ()


def test_a_run_of_a_persons_whose_process_died_is_gone_on_with_and_one_that_was_stopped_is_not(
    settings: Any, story: Any, registry: Any
) -> None:
    story.judged("PASS", requested_by="ana")
    registry.set_run_state("triage-1", "promoting", "deploying")
    registry.take_lease("triage-1", "triage", "elsewhere", dead=frozenset(), alone=True)
    assert stalled(settings, registry, silence_s=0) == ()
    with registry.database.write() as writer:
        writer.connection.exec_driver_sql("UPDATE leases SET beat = beat - 21")
    (order,) = stalled(settings, registry, silence_s=DAY_S)
    assert (order.run_id, order.key) == ("triage-1", "triage-1")
    registry.leave_lease("triage-1", "elsewhere", finished=False)
    assert stalled(settings, registry, silence_s=0) == ()
