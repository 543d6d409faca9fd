"""What is a web address, which proxy it is asked through, and which are asked with certificates checked."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator

import pytest
from support.recording_proxy import RecordingProxy, recording_proxy

from evals.addresses import (
    checked,
    http_options,
    plain_address,
    prepare_environment,
    proxy_for,
    same_address,
)
from evals.errors import ConfigurationError, SamplingError
from evals.sampling.endpoint.transport import Route, Transport

DEAD = "http://127.0.0.1:9"
NAMES = [f"{scheme}_proxy" for scheme in ("http", "https", "all", "no")]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*NAMES, *map(str.upper, NAMES)):
        monkeypatch.setenv(name, "")  # so that whatever is written during a test is undone after it
        monkeypatch.delenv(name)
    for scheme in ("HTTP", "HTTPS", "ALL"):
        monkeypatch.setenv(f"GATEWRIGHT_SET_ASIDE_{scheme}", "")
        monkeypatch.delenv(f"GATEWRIGHT_SET_ASIDE_{scheme}")
    return monkeypatch


@pytest.fixture
def proxy() -> Iterator[RecordingProxy]:
    with recording_proxy() as running:
        yield running


@pytest.mark.parametrize(
    "url", ["notaurl", "", "ftp://a.example", "http://", "http://a:port", "http://a:0", "http://["]
)
def test_what_is_no_web_address_is_one_sentence(url: str) -> None:
    with pytest.raises(
        ConfigurationError, match="expected an http or https address, such as https://"
    ):
        checked(url)


def test_the_sentence_shows_neither_login_nor_query() -> None:
    with pytest.raises(ConfigurationError) as caught:
        checked("http://me:secret@host:port/?key=hidden")
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://a.example/v1", "HTTPS://a.example"])
def test_whatever_is_not_plain_http_is_checked(url: str) -> None:
    assert http_options(url)["verify"].verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/api", "HTTP://localhost"])
def test_plain_http_has_no_certificates_to_read(url: str) -> None:
    assert http_options(url)["verify"] is False


@pytest.mark.parametrize(
    ("url", "through"),
    [
        ("http://127.0.0.1:1/v1", None),
        ("http://127.8.8.8/v1", None),
        ("https://[::1]:1/v1", None),
        ("http://localhost/v1", None),
        ("http://models.corp.example/v1", None),
        ("http://api.example/v1", "http://plain:1"),
        ("https://api.example/v1", "http://secure:1"),
    ],
)
def test_loopback_and_listed_hosts_are_asked_directly_and_others_through_the_proxy(
    environment: pytest.MonkeyPatch, url: str, through: str | None
) -> None:
    environment.setenv("HTTP_PROXY", "plain:1")
    environment.setenv("HTTPS_PROXY", "http://secure:1")
    environment.setenv("NO_PROXY", ".corp.example")
    assert proxy_for(url) == through
    assert http_options(url)["proxy"] == through


def test_a_proxy_for_all_stands_for_what_is_not_named_apart(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("ALL_PROXY", "http://all:1")
    assert proxy_for("https://api.example") == "http://all:1"
    prepare_environment()
    assert (os.environ["HTTPS_PROXY"], os.environ["no_proxy"]) == (
        "http://all:1",
        "localhost,127.0.0.1,::1",
    )


@pytest.mark.parametrize("prepared", [False, True])
def test_a_socks_proxy_is_refused_by_what_needs_it_alone(
    environment: pytest.MonkeyPatch, prepared: bool
) -> None:
    environment.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    if prepared:
        prepare_environment()
        assert "ALL_PROXY" not in os.environ
    assert proxy_for("http://127.0.0.1:1") is None
    with pytest.raises(ConfigurationError, match=r"ALL_PROXY: names a SOCKS proxy.*NO_PROXY"):
        http_options("https://api.example/v1")
    with pytest.raises(SamplingError, match="SOCKS"):
        Route("https://api.example/v1", 1, 1)


def test_a_proxy_that_is_no_address_is_refused_by_what_needs_it_alone(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("HTTP_PROXY", "http://[")
    prepare_environment()
    assert proxy_for("http://127.0.0.1:1") is None
    with pytest.raises(ConfigurationError, match="HTTP_PROXY: expected an http or https address"):
        http_options("http://api.example/v1")


def test_without_a_proxy_the_environment_stays_as_it_is(environment: pytest.MonkeyPatch) -> None:
    prepare_environment()
    assert not [name for name in os.environ if name.lower() in NAMES]


async def test_a_model_beyond_this_machine_is_asked_through_the_proxy(
    environment: pytest.MonkeyPatch, proxy: RecordingProxy
) -> None:
    environment.setenv("HTTP_PROXY", proxy.url)
    async with Transport() as transport:
        answer = await transport.post(Route("http://model.example/v1/chat", 5, 5), b"{}", {})
    assert answer.status == 200
    assert proxy.asked == ["http://model.example/v1/chat"]


async def test_a_model_on_this_machine_is_asked_directly(
    environment: pytest.MonkeyPatch, proxy: RecordingProxy
) -> None:
    environment.setenv("HTTP_PROXY", DEAD)
    async with Transport() as transport:
        answer = await transport.post(Route(f"{proxy.url}/v1/chat", 5, 5), b"{}", {})
    assert (answer.status, proxy.asked) == (200, ["/v1/chat"])


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("HTTPS://Acme.OpenAI.Azure.com:443/", "https://acme.openai.azure.com"),
        ("http://127.0.0.1:80/v1/", "http://127.0.0.1/v1"),
        ("https://acme.example.:8443/Path/", "https://acme.example:8443/Path"),
        ("https://[FE80::1]:443", "https://[fe80::1]"),
        ("https://me:Secret@Acme.example/?Key=A", "https://me:Secret@acme.example?Key=A"),
        ("no address/", "no address"),
        ("http://a:port/", "http://a:port"),
    ],
)
def test_an_address_has_one_plain_form(written: str, plain: str) -> None:
    assert plain_address(written) == plain
    assert same_address(written, plain)


@pytest.mark.parametrize(
    "other",
    [
        "http://acme.example",
        "https://acme.example:80",
        "https://acme.example/v1",
        "https://acme.example.org",
        "https://me@acme.example",
    ],
)
def test_what_leads_elsewhere_is_another_address(other: str) -> None:
    assert not same_address("https://acme.example", other)
