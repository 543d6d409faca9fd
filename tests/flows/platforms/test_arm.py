"""The control plane's transport against a scripted server: what is retried, how long, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from support.waiting import PATIENCE_S

from evals.errors import ConfigurationError, CredentialError, PlatformError
from flows.platforms.azure.arm.operations import follow
from flows.platforms.azure.arm.transport import ArmClient
from flows.platforms.azure.credentials import FixedToken
from flows.platforms.deadlines import Deadline, PollingPace, growing_pause, retry_after

pytestmark = pytest.mark.asyncio
PATH = "/subscriptions/s"
THING = {"name": "x"}


async def test_a_request_carries_the_token_and_the_control_plane_version(server, arm) -> None:
    server.on(f"GET {PATH}", (200, THING))
    answer = await arm.send("GET", PATH, doing="look")
    assert answer.body == THING
    assert server.seen[0].headers["Authorization"] == "Bearer arm-1"
    assert server.seen[0].query == {"api-version": "2025-06-01"}


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_passing_fault_is_tried_again(server, arm, status: int) -> None:
    server.on(f"GET {PATH}", (status, {}), (status, {}), (200, THING))
    assert (await arm.send("GET", PATH, doing="look")).body == THING
    assert len(server.seen) == 3


async def test_a_broken_connection_is_tried_again(server, arm) -> None:
    server.on(f"GET {PATH}", (0, None), (200, THING))
    assert (await arm.send("GET", PATH, doing="look")).body == THING


async def test_a_fault_that_stays_is_given_up_after_the_attempts(server, arm) -> None:
    server.on(f"GET {PATH}", (500, {"error": {"code": "InternalServerError", "message": "oops"}}))
    with pytest.raises(PlatformError, match="could not look: InternalServerError") as caught:
        await arm.send("GET", PATH, doing="look")
    assert len(server.seen) == 4
    assert caught.value.status == 500


async def test_retry_after_is_honoured(server, arm) -> None:
    server.on(f"GET {PATH}", (429, {}, {"Retry-After": "1"}), (200, THING))
    began = time.monotonic()
    await arm.send("GET", PATH, doing="look")
    assert time.monotonic() - began >= 1.0


async def test_a_day_of_retry_after_is_not_waited_for(server, arm) -> None:
    server.on(f"GET {PATH}", (429, {}, {"Retry-After": "86400"}))
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(PlatformError):
            await arm.send("GET", PATH, doing="look")
    assert len(server.seen) == 1


class Renewing:
    """Gives token 1, and token 2 when a fresh one is asked for."""

    def __init__(self) -> None:
        self.asked: list[bool] = []

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        self.asked.append(fresh)
        return "arm-2" if fresh else "arm-1"

    async def aclose(self) -> None:
        return None


async def test_an_expired_token_is_renewed_once(server) -> None:
    def answer(seen: Any) -> tuple[int, Any]:
        if seen.headers["Authorization"] == "Bearer arm-1":
            return 401, {"error": {"code": "ExpiredAuthenticationToken", "message": "expired"}}
        return 200, THING

    server.on(f"GET {PATH}", answer)
    client = ArmClient(Renewing(), base_url=server.url)
    assert (await client.send("GET", PATH, doing="look")).body == THING
    await client.aclose()


async def test_a_token_that_stays_refused_is_a_credential_error(server, arm) -> None:
    server.on(
        f"GET {PATH}", (401, {"error": {"code": "ExpiredAuthenticationToken", "message": ""}})
    )
    with pytest.raises(CredentialError, match="expired") as caught:
        await arm.send("GET", PATH, doing="look")
    assert len(server.seen) == 2
    assert "arm-1" not in str(caught.value)


async def test_the_auxiliary_token_goes_along_only_when_asked(server) -> None:
    server.on(f"PUT {PATH}", (200, THING))
    client = ArmClient(FixedToken("here"), base_url=server.url, auxiliary=FixedToken("there"))
    await client.send("PUT", PATH, doing="make", body={}, auxiliary=True)
    await client.send("PUT", PATH, doing="make", body={})
    await client.aclose()
    assert server.seen[0].headers["x-ms-authorization-auxiliary"] == "Bearer there"
    assert "x-ms-authorization-auxiliary" not in server.seen[1].headers


async def test_nothing_at_the_address_says_so(arm, server) -> None:
    client = ArmClient(
        FixedToken("t"),
        base_url="http://127.0.0.1:9",
        pace=PollingPace(attempts=2, first_pause=0.01),
        absent="start it",
    )
    with pytest.raises(PlatformError, match=r"nothing answers at http://127\.0\.0\.1:9 — start it"):
        await client.send("GET", PATH, doing="look")
    await client.aclose()


async def test_every_page_of_a_list_is_read(server, arm) -> None:
    server.on(
        f"GET {PATH}",
        (
            200,
            {
                "value": [{"n": 1}],
                "nextLink": "{url}" + PATH + "?api-version=2025-06-01&$skiptoken=a",
            },
        ),
        (200, {"value": [{"n": 2}], "nextLink": None}),
    )
    assert await arm.pages(PATH, doing="list") == [{"n": 1}, {"n": 2}]
    assert server.seen[1].query == {"api-version": "2025-06-01", "$skiptoken": "a"}


@pytest.mark.parametrize(
    ("link", "ours"),
    [
        ("https://management.azure.com/subscriptions/1", True),
        ("HTTPS://MANAGEMENT.azure.com:443/subscriptions/1", True),
        ("http://management.azure.com/subscriptions/1", False),
        ("https://management.azure.com:8443/subscriptions/1", False),
        ("https://management.azure.com.evil.example/subscriptions/1", False),
    ],
)
async def test_the_control_plane_is_known_however_its_address_is_written(link, ours) -> None:
    client = ArmClient(FixedToken("t"), base_url="https://Management.Azure.com:443/")
    assert client.same_origin(link) is ours
    await client.aclose()


async def test_a_list_that_points_to_itself_ends(server, arm) -> None:
    server.on(f"GET {PATH}", (200, {"value": [{"n": 1}], "nextLink": "{url}" + PATH}))
    assert await arm.pages(PATH, doing="list") == [{"n": 1}, {"n": 1}]


async def _begin(server, arm, headers: dict[str, str]) -> Any:
    server.on(f"PUT {PATH}", (201, THING, headers))
    return await arm.send("PUT", PATH, doing="make", body={})


@pytest.mark.parametrize("odd", ["Running", "InProgress", "Frobnicating"])
async def test_an_operation_is_followed_to_its_success_through_states_not_known(
    server, arm, odd
) -> None:
    begun = await _begin(server, arm, {"Azure-AsyncOperation": "{url}/op"})
    server.on(
        "GET /op", (200, {"status": odd}), (200, {"status": odd}), (200, {"status": "succeeded"})
    )
    await follow(arm, begun, doing="make", deadline=Deadline(900))
    assert len(server.asked("GET /op")) == 3


@pytest.mark.parametrize("end", ["Failed", "Canceled"])
async def test_an_operation_that_failed_says_why(server, arm, end) -> None:
    begun = await _begin(server, arm, {"Azure-AsyncOperation": "{url}/op"})
    error = {"code": "InsufficientQuota", "message": "require 5, current available capacity 2"}
    server.on("GET /op", (200, {"status": end, "error": error}))
    with pytest.raises(PlatformError, match="needed 5, left 2"):
        await follow(arm, begun, doing="make", deadline=Deadline(900))


async def test_an_operation_that_failed_without_a_reason_still_failed(server, arm) -> None:
    begun = await _begin(server, arm, {"Azure-AsyncOperation": "{url}/op"})
    server.on("GET /op", (200, {"status": "Failed"}))
    with pytest.raises(PlatformError, match="could not make: it ended Failed"):
        await follow(arm, begun, doing="make", deadline=Deadline(900))


async def test_a_location_is_followed_until_it_is_no_longer_202(server, arm) -> None:
    begun = await _begin(server, arm, {"Location": "{url}/op", "Retry-After": "0"})
    server.on("GET /op", (202, None), (202, None), (204, None))
    await follow(arm, begun, doing="make", deadline=Deadline(900))
    assert len(server.asked("GET /op")) == 3


async def test_an_operation_elsewhere_or_forgotten_leaves_it_to_the_resource(server, arm) -> None:
    for headers in [
        {},
        {"Azure-AsyncOperation": "https://elsewhere.example/op"},
        {"Location": "{url}/no"},
    ]:
        begun = await _begin(server, arm, headers)
        await follow(arm, begun, doing="make", deadline=Deadline(900))


async def test_an_operation_that_never_ends_is_given_up(server, arm) -> None:
    begun = await _begin(server, arm, {"Azure-AsyncOperation": "{url}/op"})
    server.on("GET /op", (200, {"status": "Running"}))
    with pytest.raises(PlatformError, match="run the same command again"):
        await follow(arm, begun, doing="make", deadline=Deadline(0.1))


async def test_plain_http_is_for_loopback_only() -> None:
    with pytest.raises(ConfigurationError, match="expected an https address"):
        ArmClient(FixedToken("t"), base_url="http://management.example")


async def test_the_server_may_ask_to_wait_in_four_ways() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=30), usegmt=True)
    assert retry_after({"retry-after-ms": "250"}) == 0.25
    assert retry_after({"x-ms-retry-after-ms": "1500"}) == 1.5
    assert retry_after({"retry-after": "2.5"}) == 2.5
    dated = retry_after({"retry-after": later})
    assert dated is not None and 29 * 3600 < dated <= 30 * 3600


async def test_a_wait_that_makes_no_sense_is_ignored() -> None:
    for text in ["-1", "soon", "inf", "nan", ""]:
        assert retry_after({"retry-after": text}) is None
    assert growing_pause(20, 1.0) <= 30.0
