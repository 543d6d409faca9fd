"""Answering on the run's page: only a person's own form, shown by this service, does anything."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import httpx
import pytest
from support.service import in_thread
from support.waiting import wait_until

from flows.service.security import FORM_LIFE_S, form_token, form_token_fits

PAGE = "/runs/triage-1"


def fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


def send(service: Any, **changes: Any) -> httpx.Response:
    """Fill in the form as a browser does. `headers` replace the browser's own; None leaves one out."""
    browser = {"origin": service.url, "sec-fetch-site": "same-origin"}
    headers = {**service.shown, **browser, **changes.pop("headers", {})}
    page = service.get(PAGE, headers=changes.pop("seen_with", {})).text
    form = {**fields(page), "decision": "approve", "reason": "looked at the report", **changes}
    return httpx.post(
        f"{service.url}{PAGE}/answer",
        data=form,
        headers={name: value for name, value in headers.items() if value is not None},
        timeout=60,
    )


def test_an_approval_has_the_promotion_go_on(
    service: Any, story: Any, prefect: Any, registry: Any
) -> None:
    story.judged("INCONCLUSIVE")
    answer = send(service)
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    assert "triage: flow run" in service.outcome("triage-1:answer:1")
    run = prefect.by_key("triage-1:answer:1")
    assert run["parameters"] == {
        "target": "triage",
        "requested_by": "webhook",
        "job_id": "ftjob-triage-1",
    }
    (given,) = registry.answers("triage-1")
    assert (given.actor, given.decision, given.reason) == ("ana", "approve", "looked at the report")


def test_a_second_approval_of_the_same_person_starts_nothing_more(
    service: Any, story: Any, prefect: Any
) -> None:
    story.judged("INCONCLUSIVE")
    page = service.get(PAGE).text
    headers = {**service.shown, "origin": service.url}
    for _ in range(2):
        form = {**fields(page), "decision": "approve", "reason": "yes"}
        assert httpx.post(
            f"{service.url}{PAGE}/answer", data=form, headers=headers, timeout=60
        ).is_redirect
    service.outcome("triage-1:answer:1")
    assert len(prefect.runs) == 1


def test_an_approval_outlives_prefect_being_down(service: Any, story: Any, prefect: Any) -> None:
    story.judged("INCONCLUSIVE")
    prefect.deployed = False
    send(service)
    service.tried("triage-1:answer:1", 2)
    assert "the promotion goes on" in service.get(PAGE).text
    prefect.deployed = True
    assert "flow run" in service.outcome("triage-1:answer:1")


def test_an_answer_nobody_carried_on_is_found(
    settings: Any, story: Any, registry: Any, config: Any, prefect: Any
) -> None:
    """The service died between the answer and the message about it."""
    from flows.approvals.answers import answer_run
    from flows.service.dispatcher.queue_resume import queue_forgotten

    story.judged("INCONCLUSIVE")
    answer_run(settings, "triage-1", "approve", actor="bo", reason="read it")
    assert (
        queue_forgotten(settings, registry, grace_s=60) == 0
    )  # the one who took it may still be at it
    assert queue_forgotten(settings, registry, grace_s=0) == 1
    assert queue_forgotten(settings, registry, grace_s=0) == 0
    with in_thread(settings, config):
        wait_until(lambda: not registry.inbox_pending())
    assert prefect.keys == ["triage-1:answer:1"]


def test_a_rejection_closes_the_run(service: Any, story: Any, prefect: Any, registry: Any) -> None:
    story.judged("INCONCLUSIVE")
    assert send(service, decision="reject", reason="worse in German").status_code == 303
    assert registry.run("triage-1").detail == "rejected by ana: worse in German"
    page = service.get(PAGE).text
    assert "worse in German" in page
    assert "<form" not in page
    assert prefect.keys == []


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "https://evil.example", "sec-fetch-site": None},
        {"origin": "null", "sec-fetch-site": None},
        {"origin": None, "sec-fetch-site": None},
        {"origin": None, "sec-fetch-site": "none"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_form_from_elsewhere_does_nothing(
    service: Any, story: Any, registry: Any, headers: dict[str, Any]
) -> None:
    story.judged("INCONCLUSIVE")
    assert send(service, headers=headers).status_code == 409
    assert registry.answers("triage-1") == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"token": ""}, "too old"),
        ({"token": "1.abc"}, "too old"),
        ({"token": "9" * 12 + "." + "é"}, "too old"),
        ({"evidence": "sha256:something-else"}, "too old"),
        ({"reason": "   "}, "a reason is required"),
        ({"decision": "perhaps"}, "expected one of"),
        ({"decision": "override"}, "that takes &#39;approve&#39;"),
    ],
)
def test_a_form_that_was_tampered_with_does_nothing(
    service: Any, story: Any, registry: Any, change: dict[str, str], said: str
) -> None:
    story.judged("INCONCLUSIVE")
    answer = send(service, **change)
    assert answer.status_code == 409
    assert said in answer.text
    assert registry.answers("triage-1") == ()


def test_a_form_is_only_good_for_the_one_it_was_shown_to(
    settings: Any, config: Any, story: Any, registry: Any, service: Any
) -> None:
    story.judged("INCONCLUSIVE", requested_by="cy")
    with in_thread(settings, replace(config, actor_header="X-Person")) as url:
        other = type(service)(url, registry)
        seen, sent = {"x-person": "bo"}, {"x-person": "mallory"}
        assert send(other, seen_with=seen, headers=sent).status_code == 409
        assert send(other, seen_with=seen, headers={}).status_code == 409
        assert registry.answers("triage-1") == ()
        assert send(other, seen_with=seen, headers=seen).status_code == 303
        assert registry.answers("triage-1")[0].actor == "bo"


def test_the_requester_sees_no_button_to_approve(service: Any, story: Any) -> None:
    story.judged("INCONCLUSIVE", requested_by="ana")
    page = service.get(PAGE).text
    assert 'value="reject"' in page
    assert 'value="approve"' not in page
    assert "ana asked for this promotion" in send(service).text


def test_two_people_override_a_fail(
    settings: Any, config: Any, story: Any, registry: Any, service: Any, prefect: Any
) -> None:
    story.judged("FAIL", state="refused")
    with in_thread(settings, replace(config, actor_header="X-Person")) as url:
        other = type(service)(url, registry)
        for person, keys in (("bo", []), ("cy", ["triage-1:answer:2"])):
            headers = {"x-person": person}
            answer = send(other, seen_with=headers, headers=headers, decision="override")
            assert answer.status_code == 303
            if keys:
                other.outcome("triage-1:answer:2")
            assert [run["idempotency_key"] for run in prefect.runs.values()] == keys


def test_a_token_fits_its_form_and_its_time() -> None:
    token = form_token(b"key", "about this", now=1000.0)
    assert form_token_fits(b"key", token, "about this", now=1000.0)
    assert form_token_fits(b"key", token, "about this", now=1000.0 + FORM_LIFE_S - 5)
    assert not form_token_fits(b"key", token, "about this", now=1001.0 + FORM_LIFE_S)
    assert not form_token_fits(b"key", token, "about this", now=900.0)
    assert not form_token_fits(b"key", token, "about that", now=1000.0)
    assert not form_token_fits(b"other", token, "about this", now=1000.0)
