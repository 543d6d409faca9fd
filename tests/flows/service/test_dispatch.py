"""From a message in the inbox to one flow run for each target it is for, whatever is down meanwhile."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from support.service import in_thread
from support.waiting import wait_until

from flows.emulator.webhooks.registration import add_webhook
from flows.evaluation.request import run_id_of
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.service.dispatcher.dispatch import Dispatcher
from flows.service.dispatcher.messages import Trigger
from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.service.dispatcher.timing import STUCK_AFTER, Timing


def job_message(job_id: str) -> dict[str, Any]:
    trigger = Trigger(kind="job", subject=job_id, event="fine_tuning.job.succeeded")
    plain: dict[str, Any] = msgspec.to_builtins(trigger)
    return plain


def in_state(registry: Any, job_id: str, state: str) -> str:
    """Leave the run of a job in a state, as its flow would."""
    run_id = run_id_of("triage", "promotion", {"job_id": job_id})
    registry.start_run(
        RunRecord(
            run_id=run_id,
            target="triage",
            kind="promotion",
            requested_by="webhook",
            trigger={"job_id": job_id},
        )
    )
    registry.set_run_state(run_id, state)
    return run_id


def test_a_finished_fine_tune_starts_its_promotion_once(
    service: Any, platform: Any, prefect: Any
) -> None:
    job = platform.fine_tune({"target": "triage"})
    service.post(job.id)
    assert "triage: flow run" in service.outcome("wh_1")
    assert prefect.keys == [f"triage:{job.id}"]
    assert prefect.by_key(f"triage:{job.id}")["parameters"] == {
        "target": "triage",
        "job_id": job.id,
        "requested_by": "webhook",
    }


def test_the_platform_s_own_webhook_starts_it(
    service: Any, own_platform: Any, prefect: Any, secrets: Any
) -> None:
    add_webhook(own_platform.emulator.state, f"{service.url}/webhooks/openai", secrets[0])
    job = own_platform.fine_tune({"target": "triage"})
    wait_until(lambda: prefect.runs)
    assert [run["idempotency_key"] for run in prefect.runs.values()] == [f"triage:{job.id}"]


def test_a_job_for_two_targets_starts_two_promotions(
    service: Any, platform: Any, prefect: Any, add_target: Any, settings: Any
) -> None:
    add_target("second")
    path = settings.targets / "second.yaml"
    path.write_text(path.read_text().replace("{target: second}", "{team: support}"))
    job = platform.fine_tune({"target": "triage", "team": "support"})
    service.post(job.id)
    service.outcome("wh_1")
    assert sorted(prefect.keys) == [f"second:{job.id}", f"triage:{job.id}"]


def test_a_job_for_no_target_is_dealt_with_and_says_so(
    service: Any, platform: Any, prefect: Any
) -> None:
    job = platform.fine_tune({"target": "nowhere"})
    service.post(job.id)
    said = service.outcome("wh_1")
    assert "for no target here (its metadata says 'nowhere'); there are triage" in said
    assert prefect.keys == []


def test_a_job_nobody_knows_is_asked_for_a_while_and_then_let_go(
    service: Any, platform: Any
) -> None:
    service.post("ftjob-nowhere")
    assert "there is no fine-tuning job ftjob-nowhere" in service.outcome("wh_1")
    assert service.message("wh_1")[2] >= 3


def test_while_prefect_is_down_the_message_is_kept_and_tried_again(
    service: Any, platform: Any, prefect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = platform.fine_tune({"target": "triage"})
    prefect.deployed = False
    service.post(job.id)
    assert "no deployment 'promotion/promotion'" in service.tried("wh_1", 2)
    assert service.get("/inbox").text.count("prefect --no-prompt deploy --all") == 1
    prefect.deployed = True
    assert "triage: flow run" in service.outcome("wh_1")
    assert len(prefect.runs) == 1


def test_while_the_platform_is_down_the_message_is_kept(
    service: Any, platform: Any, prefect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = platform.fine_tune({"target": "triage"})
    url = platform.url
    monkeypatch.setenv("GATEWRIGHT_EMBEDDED_URL", "http://127.0.0.1:9")
    service.post(job.id)
    service.tried("wh_1", 1)
    monkeypatch.setenv("GATEWRIGHT_EMBEDDED_URL", url)
    assert "triage: flow run" in service.outcome("wh_1")


def test_a_job_that_the_platform_still_shows_as_running_is_asked_for_again(
    service: Any, own_platform: Any, prefect: Any
) -> None:
    own_platform.emulator.set(running_s=3600)
    job = own_platform.fine_tune({"target": "triage"}, wait=False)
    service.post(job.id)
    assert "not finished yet" in service.tried("wh_1", 1)
    own_platform.emulator.set(running_s=0)
    own_platform.emulator.clock.advance(3600)
    assert "triage: flow run" in service.outcome("wh_1")


def test_a_broken_target_file_hinders_only_what_it_may_be_for(
    service: Any, platform: Any, prefect: Any, settings: Any
) -> None:
    (settings.targets / "broken.yaml").write_text("version: 1\nname: broken\nsuits: []\n")
    ours = platform.fine_tune({"target": "triage"})
    theirs = platform.fine_tune({"target": "broken"})
    service.post(ours.id, "wh_ours")
    service.post(theirs.id, "wh_theirs")
    assert "triage: flow run" in service.outcome("wh_ours")
    assert "broken.yaml" in service.tried("wh_theirs", 2)


def test_what_can_not_be_read_is_let_go_and_says_so(service: Any) -> None:
    service.registry.inbox_put("wh_odd", {"kind": "surprise"})
    assert "can't be read" in service.outcome("wh_odd")


def test_a_restart_goes_on_with_what_is_pending(
    settings: Any, registry: Any, config: Any, platform: Any, prefect: Any
) -> None:
    job = platform.fine_tune({"target": "triage"})
    registry.inbox_put("wh_before", job_message(job.id))
    with in_thread(settings, config):
        wait_until(lambda: not registry.inbox_pending())
    assert prefect.keys == [f"triage:{job.id}"]


async def test_the_inbox_can_be_drained_once(
    settings: Any, registry: Any, platform: Any, prefect: Any
) -> None:
    registry.inbox_put("wh_1", job_message("ftjob-1"))
    trigger = Trigger(kind="job", subject="ftjob-2", event="fine_tuning.job.failed")
    registry.inbox_put("wh_2", msgspec.to_builtins(trigger))
    async with PrefectRuns(prefect.url) as api:
        dispatcher = Dispatcher(settings, registry, api, Timing(first=3600, longest=3600))
        said = await dispatcher.drain()
        assert said["wh_2"] == "noted: failed ftjob-2"
        assert "there is no fine-tuning job ftjob-1" in said["wh_1"]
        assert [message.attempts for message in registry.inbox_pending()] == [1]
        assert await dispatcher.drain() == {}  # what failed is not due yet


async def test_without_a_prefect_everything_is_kept(
    settings: Any, registry: Any, platform: Any
) -> None:
    job = await asyncio.to_thread(platform.fine_tune, {"target": "triage"})
    registry.inbox_put("wh_1", job_message(job.id))
    said = await Dispatcher(settings, registry, None).drain()
    assert "PREFECT_API_URL" in said["wh_1"]
    assert len(registry.inbox_pending()) == 1


def test_after_many_tries_it_is_kept_and_shown_as_stuck(
    service: Any, registry: Any, platform: Any, prefect: Any
) -> None:
    prefect.deployed = False
    job = platform.fine_tune({"target": "triage"})
    service.post(job.id)
    for _ in range(STUCK_AFTER):
        registry.inbox_missed("wh_1", "no luck")
    service.tried("wh_1", STUCK_AFTER + 1)
    assert "stuck" in service.get("/inbox").text
    assert service.get("/readyz").json()["inbox"] == {"pending": 1, "stuck": 1}


def test_pauses_grow_to_a_limit_and_stay_there() -> None:
    pauses = Timing()
    assert [pauses.after(tries) for tries in (1, 2, 3, 8, 19)] == [2.0, 4.0, 8.0, 256.0, 300.0]
    assert pauses.after(STUCK_AFTER) == pauses.after(10 * STUCK_AFTER) == 3600.0


# ---- a delivery that comes again after its run died


def started(service: Any, platform: Any) -> Any:
    job = platform.fine_tune({"target": "triage"})
    service.post(job.id)
    service.outcome("wh_1")
    return job


def again(service: Any, job: Any) -> str:
    """Deliver the same webhook once more and return what was made of it."""
    assert service.post(job.id).json()["status"] == "known"
    return str(service.outcome(repeated_of(service)))


def repeated_of(service: Any) -> str:
    """The message that was kept for it; the service may have queued others of its own since."""
    return [one for one in service.delivered() if one.startswith("wh_1#again-")][-1]


@pytest.mark.parametrize("state", ["CRASHED", "FAILED"])
def test_a_run_that_died_is_started_again_under_a_new_key(
    service: Any, platform: Any, prefect: Any, state: str
) -> None:
    job = started(service, platform)
    prefect.end(f"triage:{job.id}", state)
    assert f"(key triage:{job.id}#2)" in again(service, job)
    assert len(prefect.runs) == 2


def test_the_second_one_dying_too_leads_to_a_third(
    service: Any, platform: Any, prefect: Any, registry: Any
) -> None:
    job = started(service, platform)
    prefect.end(f"triage:{job.id}", "CRASHED")
    again(service, job)
    prefect.end(f"triage:{job.id}#2", "CRASHED")
    registry.inbox_put("wh_other", job_message(job.id))
    assert f"(key triage:{job.id}#3)" in service.outcome("wh_other")


def test_a_run_that_is_over_is_never_started_again(
    service: Any, platform: Any, prefect: Any, registry: Any
) -> None:
    job = started(service, platform)
    prefect.end(f"triage:{job.id}", "CRASHED")
    run_id = in_state(registry, job.id, "refused")
    assert again(service, job) == f"triage: run {run_id} is refused"
    assert len(prefect.runs) == 1


@pytest.mark.parametrize("state", ["SCHEDULED", "PENDING", "PAUSED", "CANCELLED", "COMPLETED"])
def test_a_run_that_is_under_way_or_was_stopped_by_a_person_is_left_alone(
    service: Any, platform: Any, prefect: Any, state: str
) -> None:
    job = started(service, platform)
    prefect.end(f"triage:{job.id}", state)
    assert f"is {state.lower()}" in again(service, job)
    assert len(prefect.runs) == 1


def test_a_flow_that_completed_while_the_run_failed_may_be_tried_again(
    service: Any, platform: Any, prefect: Any, registry: Any
) -> None:
    job = started(service, platform)
    prefect.end(f"triage:{job.id}", "COMPLETED")
    in_state(registry, job.id, "failed")
    assert f"(key triage:{job.id}#2)" in again(service, job)


@pytest.mark.parametrize("sign", ["registry", "file", "none"])
def test_a_running_flow_is_left_alone_while_there_is_a_sign_of_life(
    service: Any, platform: Any, prefect: Any, settings: Any, sign: str
) -> None:
    job = started(service, platform)
    prefect.end(f"triage:{job.id}", "RUNNING", ago_s=3600)
    now = datetime.now(UTC)
    an_hour_ago = now - timedelta(hours=1)
    noted = now if sign == "registry" else an_hour_ago
    with Registry.open(settings.registry_url, now=lambda: noted) as registry:
        run_id = in_state(registry, job.id, "evaluating")
    progress = settings.run_folder(run_id) / "progress.json"
    progress.parent.mkdir(parents=True)
    progress.write_text("{}")
    if sign != "file":
        os.utime(progress, (an_hour_ago.timestamp(),) * 2)
    said = again(service, job)
    assert (f"(key triage:{job.id}#2)" if sign == "none" else "is running") in said
    assert len(prefect.runs) == (2 if sign == "none" else 1)


def test_a_run_is_started_again_once_its_process_is_dead_and_not_while_it_lives(
    service: Any, platform: Any, prefect: Any, registry: Any
) -> None:
    job = started(service, platform)
    run_id = in_state(registry, job.id, "evaluating")
    key = f"triage:{job.id}"
    prefect.end(key, "RUNNING", ago_s=3600)
    registry.take_lease(run_id, "triage", "elsewhere", dead=frozenset(), alone=True)

    def told(message: str) -> str:
        registry.inbox_put(message, job_message(job.id))
        return str(service.outcome(message))

    assert "is running" in told("wh_20")
    with registry.database.write() as writer:
        writer.connection.exec_driver_sql("UPDATE leases SET beat = beat - 21")
    assert f"(key {key}#2)" in told("wh_21")
    assert set(prefect.closed) == {
        prefect.by_key(key)["id"]
    }  # the service's own look may do it, too
    prefect.end(f"{key}#2", "RUNNING")
    assert f"is running (key {key}#2)" in told("wh_22"), "it has yet to take the lease"


def test_one_that_dies_again_and_again_is_not_started_for_ever(
    service: Any, platform: Any, prefect: Any, registry: Any
) -> None:
    job = started(service, platform)
    for number in range(1, 6):
        key = f"triage:{job.id}" + (f"#{number}" if number > 1 else "")
        prefect.end(key, "CRASHED")
        registry.inbox_put(f"wh_{number}0", job_message(job.id))
        said = service.outcome(f"wh_{number}0")
    assert "died 5 times" in said
    assert len(prefect.runs) == 5
