"""Every client that is made here reaches this machine whatever proxy the environment names, and other hosts through it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.recording_proxy import RecordingProxy, recording_proxy

from evals.addresses import prepare_environment
from evals.errors import ConfigurationError, GatewrightError, InfrastructureError, PublishError
from evals.records import Endpoint
from flows.cli import run
from flows.live_client import NotResolvedError, resolve
from flows.orchestration.prefect_api import PrefectApi
from flows.orchestration.processes import Processes
from flows.platforms.asking.slot_client import SlotClient
from flows.platforms.azure.arm.transport import ArmClient
from flows.platforms.azure.credentials import FixedToken
from flows.platforms.base import Connection, TriggerRef
from flows.platforms.data_plane import DataPlane
from flows.platforms.table import open_platform
from flows.publishers.http import request

DEAD = "http://127.0.0.1:9"
SOCKS = "socks5://127.0.0.1:9"
NAMES = [f"{scheme}_proxy" for scheme in ("http", "https", "all", "no")]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    aside = [f"GATEWRIGHT_SET_ASIDE_{scheme}" for scheme in ("HTTP", "HTTPS", "ALL")]
    for name in (*NAMES, *map(str.upper, NAMES), *aside):
        monkeypatch.setenv(name, "")  # so that whatever is written during a test is undone after it
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def server() -> Iterator[RecordingProxy]:
    with recording_proxy() as running:
        yield running


async def _prefect(url: str) -> None:
    async with PrefectApi(f"{url}/api", patience_s=0) as api:
        await api.flow_run("1")


async def _publisher(url: str) -> None:
    await request("webhook", "POST", f"{url}/hook", headers={})


async def _control_plane(url: str) -> None:
    client = ArmClient(FixedToken("t"), base_url=url)
    await client.send("GET", "/x", doing="look")
    await client.aclose()


async def _slot(url: str) -> None:
    endpoint = Endpoint(base_url=f"{url}/v1", model="m", model_id="m")

    async def headers() -> dict[str, str]:
        return {}

    plane = DataPlane(url, lambda: pytest.fail("no SDK"), headers, credential="none")
    async with SlotClient(
        plane, Connection(endpoint=endpoint, auth=headers), timeout_s=900
    ) as slot:
        await slot.ping()


async def _sdk(url: str) -> None:
    platform = open_platform("openai", {"base_url": f"{url}/v1", "key_variable": "none"}, {})
    with suppress(GatewrightError):  # what answers is no model of ours
        await platform.resolve(TriggerRef(job_id="ftjob-1"), target="triage")
    await platform.aclose()


async def _own_client_of_prefect(url: str) -> None:
    from prefect.client.orchestration import PrefectClient

    prepare_environment()
    async with PrefectClient(f"{url}/api", server_type="server") as client:
        await client.hello()


CLIENTS = [_sdk, _prefect, _publisher, _control_plane, _slot, _own_client_of_prefect]


@pytest.mark.parametrize("proxy", [DEAD, SOCKS])
@pytest.mark.parametrize("client", CLIENTS)
async def test_this_machine_is_reached_whatever_proxy_is_named(
    environment: pytest.MonkeyPatch,
    server: RecordingProxy,
    client: Callable[[str], Awaitable[None]],
    proxy: str,
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        environment.setenv(name, proxy)
    await client(server.url)
    assert server.asked


@pytest.mark.parametrize("client", [_sdk, _prefect, _publisher, _slot])
async def test_other_hosts_are_asked_through_the_proxy(
    environment: pytest.MonkeyPatch,
    server: RecordingProxy,
    client: Callable[[str], Awaitable[None]],
) -> None:
    environment.setenv("HTTP_PROXY", server.url)
    await client("http://internal.example")
    assert all(asked.startswith("http://internal.example/") for asked in server.asked)
    assert server.asked


@pytest.mark.parametrize(
    ("client", "error"), [(_prefect, ConfigurationError), (_publisher, PublishError)]
)
async def test_a_socks_proxy_is_one_sentence_for_what_needs_it(
    environment: pytest.MonkeyPatch, client: Callable[[str], Awaitable[None]], error: type
) -> None:
    environment.setenv("ALL_PROXY", SOCKS)
    with pytest.raises(error, match="ALL_PROXY: names a SOCKS proxy, and internal"):
        await client("http://internal.example")


def test_a_command_that_asks_nobody_works_beside_a_socks_proxy(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("ALL_PROXY", SOCKS)
    environment.setenv("GATEWRIGHT_HOME", str(tmp_path))
    assert run(["runs"]) == 0


def test_an_application_asks_a_service_on_its_machine_past_the_proxy(
    environment: pytest.MonkeyPatch, server: RecordingProxy
) -> None:
    environment.setenv("HTTP_PROXY", DEAD)
    with pytest.raises(NotResolvedError):  # what answers knows nothing of targets
        resolve("triage", url=server.url)
    assert server.asked[0] == "/v1/targets/triage/live?wait=0"  # it goes on asking in a thread


def test_a_server_that_does_not_come_up_names_what_answered_instead(
    tmp_path: Path, server: RecordingProxy
) -> None:
    processes = Processes(tmp_path)
    processes.start("prefect", ["sleep", "60"], environment={})
    try:
        with pytest.raises(InfrastructureError, match=r"nothing answers at http.*\nits log is"):
            processes.wait_for_http("prefect", f"{DEAD}/api/health", patience_s=0.0)
    finally:
        processes.stop()


def test_a_mistyped_address_of_prefect_is_one_sentence() -> None:
    with pytest.raises(
        ConfigurationError, match="PREFECT_API_URL: expected an http or https address"
    ):
        PrefectApi("notaurl")
    assert "http_proxy" not in os.environ
