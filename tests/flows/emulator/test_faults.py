"""Injected faults, the request log, and the emulator's own addresses."""

from __future__ import annotations

import time

import httpx
import msgspec
import pytest

OPENAI = {"Authorization": "Bearer embedded-api-key"}


def chat(workshop) -> httpx.Response:
    body = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "hello"}]}
    return workshop.http.post(f"{workshop.url}/v1/chat/completions", json=body, headers=OPENAI)


def test_a_status_is_injected_so_many_times(workshop) -> None:
    workshop.emulator.set(faults=[{"match": "POST /v1/chat", "status": 503, "times": 2, "skip": 1}])
    assert [chat(workshop).status_code for _ in range(5)] == [200, 503, 503, 200, 200]


def test_a_new_list_of_faults_counts_from_its_start(workshop) -> None:
    url = f"{workshop.url}/_emulator/switches"
    faults = {"faults": [{"match": "POST /v1/chat", "status": 503, "times": 1, "skip": 1}]}
    for _ in range(2):
        assert workshop.http.post(url, json=faults).status_code == 200
        assert [chat(workshop).status_code for _ in range(2)] == [200, 503]
        workshop.http.post(url, json={"quota_release_s": 1})  # another switch leaves the count
        assert chat(workshop).status_code == 200


def test_a_throttle_may_say_how_long_to_wait(workshop) -> None:
    workshop.emulator.set(
        faults=[
            {"match": "/chat/", "kind": "throttle", "retry_after": "7", "code": "RateLimitReached"}
        ]
    )
    refused = chat(workshop)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
    assert refused.json()["error"]["code"] == "RateLimitReached"


@pytest.mark.parametrize(("wait", "sent"), [(7, "7"), (0.5, "0.5"), ("soon", "soon")])
def test_what_a_fault_asks_to_wait_is_a_number_or_a_text(workshop, wait, sent) -> None:
    workshop.emulator.set(faults=[{"match": "/chat/", "kind": "throttle", "retry_after": wait}])
    assert chat(workshop).headers["retry-after"] == sent


@pytest.mark.parametrize(
    ("code", "numbers"),
    [
        (
            "InsufficientQuota",
            ["require 100 new", "capacity 90.", "usage is 10 and", "limit is 100"],
        ),
        ("InsufficientQuota:older", ["capacity '100'", "available capacity '90'"]),
    ],
)
def test_a_refusal_for_lack_of_quota_counts_what_is_asked_for(workshop, code, numbers) -> None:
    workshop.emulator.set(faults=[{"match": "PUT", "kind": "refusal", "code": code}])
    refused = workshop.plane().put("dev", workshop.tuned(), "DeveloperTier", capacity=100)
    message = refused.json()["error"]["message"]
    assert all(part in message for part in [*numbers, "gpt-4.1-mini-finetune"])
    assert ("DeveloperTier" in message) == (code == "InsufficientQuota")


def test_rates_are_kept_and_the_same_for_the_same_seed(workshop) -> None:
    workshop.emulator.set(seed=5, faults=[{"match": "/chat/", "status": 500, "rate": 0.3}])
    first = [chat(workshop).status_code for _ in range(60)]
    assert 8 <= first.count(500) <= 30
    workshop.emulator.state.counters.clear()
    assert [chat(workshop).status_code for _ in range(60)] == first


@pytest.mark.parametrize("kind", ["reset", "cut"])
def test_the_connection_may_break(workshop, kind) -> None:
    workshop.emulator.set(faults=[{"match": "/chat/", "kind": kind, "times": 1}])
    with pytest.raises(httpx.TransportError):
        chat(workshop)
    assert chat(workshop).status_code == 200


def test_an_answer_may_take_long_or_never_come(workshop) -> None:
    workshop.emulator.set(faults=[{"match": "/chat/", "kind": "latency", "latency_s": 0.2}])
    started = time.perf_counter()
    assert chat(workshop).status_code == 200
    assert time.perf_counter() - started >= 0.2
    workshop.emulator.set(faults=[{"match": "/chat/", "kind": "hang", "latency_s": 0.3}])
    with pytest.raises(httpx.TransportError):
        chat(workshop)


def test_control_plane_codes_can_be_injected_too(workshop) -> None:
    fault = {
        "match": "PUT /subscriptions",
        "status": 400,
        "code": "SpecialFeatureOrQuotaIdRequired",
    }
    workshop.emulator.set(faults=[fault])
    refused = workshop.plane().put("base", "gpt-4o", "GlobalStandard")
    assert refused.json()["error"]["code"] == "SpecialFeatureOrQuotaIdRequired"


def test_the_log_tells_what_was_asked_without_credentials(workshop) -> None:
    chat(workshop)
    entry = workshop.http.get(f"{workshop.url}/_emulator/log").json()["requests"][-1]
    assert (entry["method"], entry["path"], entry["status"]) == (
        "POST",
        "/v1/chat/completions",
        200,
    )
    assert '"hello"' in entry["body"]
    assert "embedded-api-key" not in str(entry)


def test_switches_and_clock_are_turned_over_http(workshop) -> None:
    url = f"{workshop.url}/_emulator"
    assert workshop.http.get(f"{url}/health").json()["status"] == "ok"
    answer = workshop.http.post(f"{url}/switches", json={"throttle_rate": 0.5}).json()
    assert (answer["throttle_rate"], workshop.emulator.switches.throttle_rate) == (0.5, 0.5)
    refused = workshop.http.post(f"{url}/switches", json={"throtle_rate": 0.5})
    assert refused.status_code == 400
    assert "throtle_rate" in refused.json()["error"]["message"]
    before = workshop.http.get(f"{url}/clock").json()["now"]
    after = workshop.http.post(f"{url}/clock", json={"advance_s": 3600}).json()["now"]
    assert 3600 <= after - before < 3620
    assert workshop.http.post(f"{url}/clock", json={"advance_s": -1}).status_code == 400


def test_a_refusal_of_the_control_plane_has_the_body_of_its_public_records(workshop) -> None:
    workshop.emulator.set(faults=[{"match": "DELETE", "kind": "refusal", "code": "ScopeLocked"}])
    path = "/subscriptions/s-1/resourceGroups/g-1/providers/Microsoft.CognitiveServices/accounts/a/deployments/d"
    refused = workshop.http.delete(f"{workshop.url}{path}")
    assert refused.status_code == 409
    assert refused.headers["x-ms-request-id"]
    assert refused.json()["error"]["message"] == (
        f"The scope '{path}' cannot perform delete operation because following scope(s) are locked:"
        " '/subscriptions/s-1/resourceGroups/g-1'. Please remove the lock and try again."
    )


def test_a_status_may_come_with_any_body(workshop) -> None:
    page = "<html><title>Blocked</title></html>"
    workshop.emulator.set(faults=[{"match": "/chat/", "status": 502, "body": page}])
    assert (chat(workshop).status_code, chat(workshop).text) == (502, page)
    workshop.emulator.set(faults=[{"match": "/chat/", "status": 418, "body": {"Message": "no"}}])
    assert chat(workshop).json() == {"Message": "no"}


def test_a_refusal_that_is_not_known_is_refused(workshop) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"expected a refusal's code, one of .*Scope"):
        workshop.emulator.set(faults=[{"match": "PUT", "kind": "refusal", "code": "ScopLocked"}])
