"""The checklist of platform behaviours: jobs and webhooks (lines 14 and 15)."""

from __future__ import annotations

import json
import re
import time

import pytest
from openai import InvalidWebhookSignatureError

from flows.emulator.webhooks.outbox import queue_event
from flows.emulator.webhooks.registration import add_webhook

SECRET = "whsec_cHJvbW90aW9uLWVtdWxhdG9yLXRlc3Qta2V5LTAwMDE="


@pytest.fixture
def hooked(workshop, receiver):
    """An emulator that sends every event to the receiver."""
    add_webhook(workshop.emulator.state, receiver.url, SECRET)
    return workshop


# 14


def test_line_14_an_azure_job_starts_pending_with_minus_one_and_missing_keys(workshop) -> None:
    workshop.emulator.set(pending_s=10, validating_s=10, queued_s=10, running_s=10)
    client = workshop.client()
    job = workshop.start_job(client, suffix="triage")
    first = client.fine_tuning.jobs.with_raw_response.retrieve(job).http_response.json()
    assert re.fullmatch(r"ftjob-[0-9a-f]{32}", first["id"])
    assert first["status"] == "pending"
    assert first["hyperparameters"] == {
        "batch_size": -1,
        "learning_rate_multiplier": -1,
        "n_epochs": -1,
    }
    missing = {"fine_tuned_model", "organization_id", "result_files", "error", "trained_tokens"}
    assert not missing & set(first)
    seen = ["pending"]
    for _ in range(4):
        workshop.emulator.clock.advance(11)
        workshop.wait_until(lambda: client.fine_tuning.jobs.retrieve(job).status != seen[-1])
        seen.append(client.fine_tuning.jobs.retrieve(job).status)
        if seen[-1] == "running":
            time.sleep(0.5)  # the training itself takes wall-clock time
    assert seen == ["pending", "validating_files", "queued", "running", "succeeded"]
    done = client.fine_tuning.jobs.retrieve(job)
    assert (
        done.fine_tuned_model == f"gpt-4.1-mini-2025-04-14.ft-{job.removeprefix('ftjob-')}-triage"
    )
    assert done.trained_tokens


def test_line_14_an_openai_job_has_its_own_ids_and_every_key(workshop) -> None:
    client = workshop.client("/v1")
    model = workshop.fine_tune(client, suffix="triage", metadata={"run": "r-42"})
    job = client.fine_tuning.jobs.list().data[0]
    assert re.fullmatch(r"ft:gpt-4\.1-mini-2025-04-14:embedded:triage:\w{8}", model)
    assert job.hyperparameters.n_epochs == "auto"
    assert (job.organization_id, job.metadata) == ("org-embedded", {"run": "r-42"})
    assert job.error is not None
    assert job.error.code is None
    bare = workshop.fine_tune(client)
    assert "::" in bare


@pytest.mark.parametrize(
    ("style", "expected"),
    [("empty", {}), ("null", None), ("nulls", {"code": None, "message": None, "param": None})],
)
def test_line_14_the_error_of_a_healthy_job_has_several_shapes(workshop, style, expected) -> None:
    workshop.emulator.set(job_error_style=style)
    client = workshop.client()
    job = workshop.start_job(client)
    raw = client.fine_tuning.jobs.with_raw_response.retrieve(job).http_response.json()
    assert raw["error"] == expected


# 15


def test_line_15_a_webhook_is_signed_and_holds_only_an_id(hooked, receiver) -> None:
    client = hooked.client(webhook_secret=SECRET)
    hooked.fine_tune(client)
    headers, body = receiver.wait(1)[0]
    event = client.webhooks.unwrap(body, headers)
    assert event.type == "fine_tuning.job.succeeded"
    assert event.data.id == client.fine_tuning.jobs.list().data[0].id
    assert set(json.loads(body)["data"]) == {"id"}
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.unwrap(body + b" ", headers)


def test_line_15_duplicates_keep_their_id(hooked, receiver) -> None:
    hooked.emulator.set(webhook_duplicate_rate=1.0)
    hooked.fine_tune()
    got = receiver.wait(2)
    assert len({headers["webhook-id"] for headers, _ in got}) == 1


def test_line_15_a_refused_webhook_is_tried_again(hooked, receiver) -> None:
    receiver.answers = [500, 302]
    hooked.fine_tune()
    assert len({headers["webhook-id"] for headers, _ in receiver.wait(3)}) == 1
    time.sleep(0.3)
    assert len(receiver.got) == 3


def test_line_15_webhooks_may_come_late(hooked, receiver) -> None:
    hooked.emulator.set(webhook_late_s=3600)
    hooked.fine_tune()
    time.sleep(0.2)
    assert not receiver.got
    hooked.emulator.clock.advance(3601)
    receiver.wait(1)


def test_line_15_webhooks_may_come_out_of_order(hooked, receiver) -> None:
    hooked.emulator.set(webhook_shuffle=True, seed=3)
    for number in range(6):
        queue_event(hooked.emulator.state, "embedded", "fine_tuning.job.failed", f"ftjob-{number}")
    got = [json.loads(body)["data"]["id"] for _, body in receiver.wait(6)]
    assert sorted(got) == [f"ftjob-{number}" for number in range(6)] != got


def test_line_15_two_signatures_during_a_rotation(hooked, receiver) -> None:
    client = hooked.client()
    hooked.emulator.set(webhook_two_signatures=True)
    hooked.fine_tune(client)
    headers, body = receiver.wait(1)[0]
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert client.webhooks.unwrap(body, headers, secret=SECRET)


def test_line_15_a_stale_timestamp_is_refused_by_the_receiver(hooked, receiver) -> None:
    hooked.emulator.set(webhook_timestamp_skew_s=-400)
    client = hooked.client()
    hooked.fine_tune(client)
    headers, body = receiver.wait(1)[0]
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.unwrap(body, headers, secret=SECRET)
