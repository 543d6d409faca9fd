"""Answering takes somebody with a name, on this machine too: who holds the token, or whom a trusted proxy names."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.service import TOKEN, in_thread

from evals.errors import ConfigurationError
from flows.service.config import LOOPBACK, read_config
from flows.service.own_token import TOKEN_FILE, own_token

PAGE = "/runs/triage-1"


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


def answered(client: httpx.Client) -> httpx.Response:
    """What a browser does on the run's page."""
    page = client.get(PAGE).text
    form = {**hidden(page), "decision": "approve", "reason": "looked at it"}
    return client.post(f"{PAGE}/answer", data=form, headers={"origin": str(client.base_url)})


def browser(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=60, follow_redirects=False)


def test_a_stranger_behind_a_proxy_that_adds_no_header_answers_nothing(
    service: Any, story: Any, registry: Any
) -> None:
    """Plain nginx sends the address of the service as the host, and nothing of the one who asked."""
    story.judged("INCONCLUSIVE")
    with browser(service.url) as stranger:
        page = stranger.get(PAGE).text
        assert "looking only" in page
        assert "acting as" not in page
        assert "<form" not in page
        refused = answered(stranger)
    assert refused.status_code == 409
    assert "sign in with the token" in refused.text
    assert registry.answers("triage-1") == ()


def test_the_link_of_the_service_signs_in_and_the_buttons_work(
    service: Any, story: Any, registry: Any
) -> None:
    story.judged("INCONCLUSIVE")
    with browser(service.url) as person:
        arrived = person.get("/sign-in", params={"token": TOKEN, "next": PAGE})
        assert (arrived.status_code, arrived.headers["location"]) == (303, PAGE)
        cookie = arrived.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert TOKEN not in cookie
        assert "acting as <strong>ana</strong>" in person.get(PAGE).text
        assert answered(person).status_code == 303
    assert [one.actor for one in registry.answers("triage-1")] == ["ana"]


def test_the_token_can_be_typed_in(service: Any) -> None:
    with browser(service.url) as person:
        form = person.get("/sign-in", params={"next": PAGE}).text
        assert hidden(form) == {"next": PAGE}
        sent = {"origin": service.url}
        wrong = person.post("/sign-in", data={"token": "no"}, headers=sent)
        assert (wrong.status_code, "That is not the token" in wrong.text) == (403, True)
        foreign = {"origin": "https://evil.example"}
        assert person.post("/sign-in", data={"token": TOKEN}, headers=foreign).status_code == 409
        right = person.post("/sign-in", data={"token": TOKEN, "next": PAGE}, headers=sent)
        assert (right.status_code, right.headers["location"]) == (303, PAGE)


@pytest.mark.parametrize("then", ["https://evil.example/", "//evil.example", "/\\evil.example", ""])
def test_signing_in_leads_to_pages_of_ours_only(service: Any, then: str) -> None:
    found = httpx.get(f"{service.url}/sign-in", params={"token": TOKEN, "next": then}, timeout=60)
    assert found.headers["location"] == "/"


@pytest.mark.parametrize("cookie", ["", "1.abc", "9999999999.é", "²." + "0" * 64])
def test_a_cookie_that_was_made_up_names_nobody(service: Any, cookie: str) -> None:
    port = service.url.rpartition(":")[2]
    for name in (f"gatewright-{port}", "gatewright-8710"):
        headers = {"cookie": f"{name}={cookie}".encode()}
        assert "looking only" in httpx.get(service.url, headers=headers, timeout=60).text


def test_a_header_is_believed_from_trusted_proxies_only(
    settings: Any, config: Any, story: Any
) -> None:
    story.judged("INCONCLUSIVE")
    elsewhere = replace(
        config, actor_header="X-Person", trusted_proxies=(ip_network("192.0.2.0/24"),)
    )
    with in_thread(settings, elsewhere) as url:
        page = httpx.get(url + PAGE, headers={"x-person": "bo"}, timeout=60).text
        assert "looking only" in page
        assert httpx.get(f"{url}/sign-in", timeout=60).status_code == 404
    with in_thread(settings, replace(elsewhere, trusted_proxies=LOOPBACK)) as url:
        passed_on = {"x-person": "bo", "x-forwarded-for": "203.0.113.7"}
        assert "acting as <strong>bo" in httpx.get(url + PAGE, headers=passed_on, timeout=60).text
    open_to_others = replace(elsewhere, host="0.0.0.0", token="s3cret")
    with in_thread(settings, open_to_others) as url:
        proxy = {"authorization": "Bearer s3cret", "x-person": "bo"}  # it proves itself
        assert "acting as <strong>bo" in httpx.get(url + PAGE, headers=proxy, timeout=60).text
    with in_thread(settings, replace(open_to_others, token="")) as url:
        refused = httpx.get(url + PAGE, headers={"x-person": "bo"}, timeout=60)
        assert (refused.status_code, "GATEWRIGHT_TRUSTED_PROXIES" in refused.text) == (403, True)


def test_which_proxies_are_trusted_is_read_from_the_environment() -> None:
    assert read_config("127.0.0.1", 1, {}).trusts("127.0.0.1")
    assert read_config("127.0.0.1", 1, {}).trusts("::ffff:127.0.0.1")
    some = read_config("127.0.0.1", 1, {"GATEWRIGHT_TRUSTED_PROXIES": "10.0.0.7, 10.1.0.0/16"})
    assert [some.trusts(one) for one in ("10.0.0.7", "10.1.2.3", "127.0.0.1", "")] == [
        True,
        True,
        False,
        False,
    ]
    with pytest.raises(ConfigurationError, match=r"GATEWRIGHT_TRUSTED_PROXIES.*such as 10\.0\.0"):
        read_config("127.0.0.1", 1, {"GATEWRIGHT_TRUSTED_PROXIES": "proxy.example"})


def test_the_token_of_its_own_is_for_the_eyes_of_its_user(tmp_path: Path) -> None:
    home = tmp_path / "home"
    token = own_token(home)
    kept = home / TOKEN_FILE
    assert len(token) >= 32
    assert kept.stat().st_mode & 0o777 == 0o600
    assert own_token(home) == token
    kept.chmod(0o640)  # somebody else may have read it
    other = own_token(home)
    assert other != token
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_text("")
    assert own_token(home) not in ("", other)
