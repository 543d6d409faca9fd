"""Who may come in, and whose name is believed."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import httpx
import pytest
from support.service import event, in_thread, signed

from evals.addresses import is_loopback
from evals.errors import ConfigurationError
from flows.service.config import read_config

PAGE = "/runs/triage-1"


def get(url: str, path: str = "/", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(url + path, headers=named, timeout=60)


def test_a_name_that_was_made_to_point_here_is_not_answered(service: Any) -> None:
    assert get(service.url, host="evil.example").status_code == 421
    assert get(service.url, "/v1/targets/triage/live", host="evil.example").status_code == 421
    assert get(service.url, host="localhost:8710").status_code == 200
    assert get(service.url, "/healthz", host="evil.example").status_code == 200


def test_what_a_proxy_passed_on_has_no_name_and_sees_no_page(service: Any) -> None:
    answer = get(service.url, x_forwarded_for="203.0.113.7")
    assert answer.status_code == 403
    assert "GATEWRIGHT_ACTOR_HEADER" in answer.text


def test_a_webhook_may_come_through_a_tunnel(service: Any) -> None:
    body = event("ftjob-1", "fine_tuning.job.failed")
    headers = {**signed(body, "wh_1"), "host": "tunnel.example", "x-forwarded-for": "203.0.113.7"}
    answer = httpx.post(f"{service.url}/webhooks/openai", content=body, headers=headers, timeout=60)
    assert answer.status_code == 200


def test_the_token_opens_as_bearer_and_as_password(settings: Any, config: Any, story: Any) -> None:
    story.live("model-1")
    basic = base64.b64encode(b"anybody:s3cret").decode()
    with in_thread(settings, replace(config, token="s3cret")) as url:
        for path in ("/", "/v1/targets/triage/live"):
            assert get(url, path).status_code == 401
            assert get(url, path, authorization="Bearer wrong").status_code == 401
            assert get(url, path, authorization="Basic ???").status_code == 401
            assert get(url, path, authorization="Bearer s3cret").status_code == 200
            assert get(url, path, authorization=f"Basic {basic}").status_code == 200
        assert get(url, "/healthz").status_code == 200


def test_the_header_names_the_person_and_nothing_else_does(
    settings: Any, config: Any, story: Any
) -> None:
    story.judged("INCONCLUSIVE")
    with in_thread(settings, replace(config, actor_header="X-Person")) as url:
        assert "acting as <strong>bo</strong>" in get(url, PAGE, x_person="bo").text
        for page in (get(url, PAGE).text, get(url, PAGE, x_person="b" * 201).text):
            assert "looking only" in page
            assert "<form" not in page
            assert "gatewright approve" in page


def test_an_address_open_to_others_needs_to_know_who_they_are() -> None:
    with pytest.raises(ConfigurationError, match=r"0\.0\.0\.0 is open to others"):
        read_config("0.0.0.0", 8710, {})
    assert read_config("0.0.0.0", 8710, {"GATEWRIGHT_SERVE_TOKEN": "s"}).token == "s"
    header = {"GATEWRIGHT_ACTOR_HEADER": "X-Person"}
    assert read_config("0.0.0.0", 8710, header).actor_header == "X-Person"


def test_open_to_others_a_page_wants_a_name_and_an_application_none(
    settings: Any, config: Any, story: Any
) -> None:
    story.live("model-1")
    with in_thread(settings, replace(config, host="0.0.0.0", actor_header="X-Person")) as url:
        assert get(url).status_code == 403
        assert get(url, x_person="bo").status_code == 200
        assert get(url, "/v1/targets/triage/live").status_code == 200


def test_with_the_token_alone_others_can_look_and_not_answer(
    settings: Any, config: Any, story: Any
) -> None:
    story.judged("INCONCLUSIVE")
    with in_thread(settings, replace(config, host="0.0.0.0", token="s3cret")) as url:
        page = get(url, PAGE, authorization="Bearer s3cret").text
    assert "looking only" in page
    assert "<form" not in page


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost.evil.example", False),
        ("10.0.0.1", False),
    ],
)
def test_what_is_this_machine_alone(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_secrets_are_read_from_either_variable() -> None:
    both = {"GATEWRIGHT_WEBHOOK_SECRETS": " a, b ,", "OPENAI_WEBHOOK_SECRET": "c"}
    assert read_config("::1", 1, both).webhook_secrets == ("a", "b")
    assert read_config("::1", 1, {"OPENAI_WEBHOOK_SECRET": "c"}).webhook_secrets == ("c",)


def test_values_of_the_wrong_form_are_all_said_at_once() -> None:
    wrong = {"GATEWRIGHT_ACTOR_HEADER": "X Person:", "GATEWRIGHT_SERVE_ORIGIN": "gate.example.com"}
    with pytest.raises(ConfigurationError) as caught:
        read_config("127.0.0.1", 8710, wrong)
    assert len(caught.value.problems) == 2
