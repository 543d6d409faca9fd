"""The webhook receiver, spoken to as a platform does: signed bytes over HTTP, a real registry behind it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from dataclasses import replace
from typing import Any

import httpx
import pytest
from support.service import as_process, event, in_thread, signed
from support.waiting import wait_until

from evals.errors import RegistryError
from flows.service.webhooks import LARGEST

FAILED = "fine_tuning.job.failed"


def post(service: Any, body: bytes, headers: dict[str, str], path: str = "openai") -> Any:
    return httpx.post(f"{service.url}/webhooks/{path}", content=body, headers=headers, timeout=60)


def test_a_signed_delivery_is_kept_before_it_is_acknowledged(service: Any) -> None:
    answer = service.post("ftjob-1", kind=FAILED)
    assert (answer.status_code, answer.json()["status"]) == (200, "kept")
    assert service.message("wh_1") is not None


def test_what_is_not_signed_is_refused(service: Any) -> None:
    answer = post(service, event("ftjob-1"), {})
    assert answer.status_code == 400
    assert "not signed" in answer.json()["error"]["message"]


def test_what_somebody_else_signed_is_refused(service: Any, secrets: Any) -> None:
    assert service.post("ftjob-1", secret=secrets[1]).status_code == 400
    assert service.message("wh_1") is None


def test_bytes_that_were_changed_are_refused(service: Any) -> None:
    headers = signed(event("ftjob-1"), "wh_1")
    assert post(service, event("ftjob-2"), headers).status_code == 400


def test_an_old_delivery_is_refused(service: Any) -> None:
    assert service.post("ftjob-1", at=time.time() - 3600).status_code == 400


def test_a_delivery_sent_twice_is_acknowledged_twice_and_kept_once(service: Any) -> None:
    answers = [service.post("ftjob-1", kind=FAILED) for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 200]
    assert [one.json()["status"] for one in answers] == ["kept", "known", "known"]
    assert service.delivered() == ("wh_1",)


def test_a_job_that_failed_is_noted_and_starts_nothing(service: Any, prefect: Any) -> None:
    service.post("ftjob-1", kind=FAILED)
    service.post("ftjob-2", "wh_2", kind="fine_tuning.job.cancelled")
    assert service.outcome("wh_1") == "noted: failed ftjob-1"
    assert service.outcome("wh_2") == "noted: cancelled ftjob-2"
    assert prefect.keys == []


def test_what_is_about_something_else_is_acknowledged_and_forgotten(service: Any) -> None:
    answer = service.post("batch_1", kind="batch.completed")
    assert (answer.status_code, answer.json()["status"]) == (200, "ignored")
    assert service.delivered() == ()


def test_azure_has_a_door_of_its_own(service: Any) -> None:
    body = event("ftjob-1", FAILED)
    assert post(service, body, signed(body, "wh_7"), "azure").status_code == 200
    assert service.outcome("wh_7") == "noted: failed ftjob-1"


def test_a_delivery_that_is_too_large_is_refused_unread(service: Any) -> None:
    assert post(service, b"x" * (LARGEST + 1), {}).status_code == 413
    chunks = (b"x" * 65536 for _ in range(10))
    assert (
        httpx.post(f"{service.url}/webhooks/openai", content=chunks, timeout=60).status_code == 413
    )


def test_an_inbox_that_can_not_be_written_asks_for_the_delivery_again(
    service: Any, settings: Any
) -> None:
    with sqlite3.connect(settings.home / "registry.db") as database:
        database.execute("ALTER TABLE inbox RENAME TO elsewhere")
    database.close()
    answer = service.post("ftjob-1")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "10"
    with sqlite3.connect(settings.home / "registry.db") as database:
        database.execute("ALTER TABLE elsewhere RENAME TO inbox")
    database.close()
    assert service.post("ftjob-1", kind=FAILED).json()["status"] == "kept"


def test_without_a_secret_nothing_is_believed(settings: Any, config: Any) -> None:
    body = event("ftjob-1")
    with in_thread(settings, replace(config, webhook_secrets=())) as url:
        answer = httpx.post(
            f"{url}/webhooks/openai", content=body, headers=signed(body, "wh_1"), timeout=60
        )
    assert answer.status_code == 503


def test_while_a_secret_is_rotated_both_fit(settings: Any, config: Any, secrets: Any) -> None:
    body = event("ftjob-1", FAILED)
    with in_thread(settings, replace(config, webhook_secrets=secrets)) as url:
        for number, secret in enumerate(secrets):
            headers = signed(body, f"wh_{number}", secret)
            answer = httpx.post(f"{url}/webhooks/openai", content=body, headers=headers, timeout=60)
            assert answer.status_code == 200


@pytest.mark.slow
def test_a_kill_right_after_the_acknowledgement_loses_nothing(
    settings: Any, registry: Any, prefect: Any, platform: Any, free_port: int
) -> None:
    prefect.down = True  # so that nothing can be started before the kill
    jobs = [platform.fine_tune({"target": "triage"}, suffix=f"v{number}") for number in range(3)]
    with as_process(settings, free_port, prefect.url) as process:
        for number, job in enumerate(jobs):
            body = event(job.id)
            answer = httpx.post(
                f"http://127.0.0.1:{free_port}/webhooks/openai",
                content=body,
                headers=signed(body, f"wh_{number}"),
                timeout=60,
            )
            assert answer.status_code == 200
        os.kill(process.pid, signal.SIGKILL)
        process.wait(900)
    assert len(registry.inbox_pending()) == 3
    prefect.down = False
    with as_process(settings, free_port, prefect.url):
        wait_until(lambda: not registry.inbox_pending())
    assert sorted(prefect.keys) == sorted(f"triage:{job.id}" for job in jobs)


def delivery(**changes: Any) -> bytes:
    plain = {"id": "evt_1", "type": "fine_tuning.job.succeeded", "created_at": 1}
    return json.dumps({**plain, "data": {"id": "ftjob-1"}, **changes}).encode()


HOSTILE = {
    "deep JSON": (b"[" * 100_000, "wh_1"),
    "deep JSON within an object": (b'{"data":' * 20_000, "wh_1"),
    "a number too large": (b'{"type": 1e999, "created_at": ' + b"1" * 5000 + b"}", "wh_1"),
    "no UTF-8": (b"\xff\xfe", "wh_1"),
    "a job that is a path": (delivery(data={"id": "../../models?x=1"}), "wh_1"),
    "a job with a long name": (delivery(data={"id": "x" * 100_000}), "wh_1"),
    "a job of markup": (delivery(data={"id": "<script>alert(1)</script>"}), "wh_1"),
    "a message of markup": (delivery(), "<img src=x onerror=alert(1)>"),
    "a message with a long name": (delivery(), "i" * 20_000),
}


@pytest.mark.parametrize(("body", "message_id"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_signed_and_still_hostile_is_refused_in_one_line(
    service: Any, caplog: Any, body: bytes, message_id: str
) -> None:
    caplog.set_level("WARNING")
    answer = post(service, body, signed(body, message_id))
    assert answer.status_code == 400
    assert service.delivered() == ()
    (line,) = [one.getMessage() for one in caplog.records if one.levelname != "INFO"]
    assert line.startswith("refused a webhook: ")
    assert "\n" not in line


def test_a_signature_of_other_characters_is_refused(service: Any) -> None:
    headers = {**signed(delivery(), "wh_1"), "webhook-signature": "v1,é".encode("latin1")}
    assert post(service, delivery(), headers).status_code == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [("/runs/" + "x" * 2000, 414), ("/runs/a%00b", 400), ("/v1/targets/a%1bb/live", 400)],
)
def test_an_address_that_is_none_is_refused(service: Any, path: str, status: int) -> None:
    assert httpx.get(service.url + path, timeout=60).status_code == status


def test_a_registry_that_is_away_is_not_described_to_strangers(
    settings: Any, config: Any, caplog: Any, monkeypatch: Any
) -> None:
    from flows.registry.store import Registry

    told = "the registry postgresql+psycopg://gate:***@db.internal/prod failed: refused"

    def away(*_: Any, **__: Any) -> Any:
        raise RegistryError(told)

    with in_thread(settings, config) as url:
        for name in ("inbox_pending", "run", "live", "targets"):
            monkeypatch.setattr(Registry, name, away)
        for path in ("/readyz", "/", "/runs/r1", "/v1/targets/triage/live"):
            answer = httpx.get(url + path, timeout=60)
            assert answer.status_code == 503
            assert "db.internal" not in answer.text
            assert "gate" not in answer.text.replace("Gatewright", "").replace("gatewright", "")
    assert told in caplog.text
