"""Links that the control plane names: sent back as they came, never to another host, and not believed more than the thing."""

from __future__ import annotations

from typing import Any

import pytest
from support.scripted_server import ACCOUNT, TUNED, shown

from evals.errors import PlatformError
from flows.platforms.azure.arm.operations import follow
from flows.platforms.base import SlotSpec
from flows.platforms.deadlines import Deadline

AT = f"{ACCOUNT}/deployments/cand-1"
NONE = (404, {"error": {"code": "ResourceNotFound", "message": "none"}})
SLOT = SlotSpec(slot="developer", sku="DeveloperTier", capacity=100)
SIGNED = "&t=1&c=MII%2FAg+x%20y~(a)'*!@:,;$[]&s=lL5_-V&empty=&flag"


async def begun(server: Any, arm: Any, headers: dict[str, str]) -> Any:
    server.on("PUT /thing", (201, {"name": "x"}, headers))
    return await arm.send("PUT", "/thing", doing="make", body={})


@pytest.mark.parametrize(
    ("link", "added"),
    [
        (f"/op?api-version=2017-04-18{SIGNED}", ""),
        (f"/op?x=1{SIGNED}&api-version=2017-04-18", ""),
        (f"/op?Api-Version=2017-04-18{SIGNED}", ""),
        (f"/op?x=1{SIGNED}", "&api-version=2025-06-01"),
        ("/op", "?api-version=2025-06-01"),
    ],
)
async def test_a_link_to_an_operation_goes_back_byte_for_byte(server, arm, link, added) -> None:
    server.on("GET /op", (200, {"status": "Succeeded"}))
    start = await begun(server, arm, {"Azure-AsyncOperation": "{url}" + link})
    await follow(arm, start, doing="make", deadline=Deadline(900))
    assert server.seen[-1].target == link + added


async def test_a_link_to_the_next_page_goes_back_byte_for_byte(server, arm) -> None:
    link = "/list?api-version=2025-06-01&$skipToken=a%2Fb+c%20d"
    server.on("GET /list", (200, {"value": [], "nextLink": "{url}" + link}), (200, {"value": []}))
    await arm.pages("/list", doing="list")
    assert server.seen[-1].target == link


async def test_what_no_request_can_hold_is_escaped(server, arm) -> None:
    server.on("GET /a b", (200, {}))
    await arm.send("GET", "/a b", doing="look")
    assert server.seen[-1].target == "/a%20b?api-version=2025-06-01"


async def test_a_next_page_on_another_host_sends_nobody_after_a_role(server, arm) -> None:
    server.on("GET /list", (200, {"value": [], "nextLink": "https://elsewhere.example/x"}))
    with pytest.raises(PlatformError, match=r"another host, elsewhere\.example") as caught:
        await arm.pages("/list", doing="list")
    assert "'arm_endpoint'" in str(caught.value.hint)


@pytest.mark.parametrize("link", ["https://[broken", "https://host:no/x", "mailto:x"])
async def test_a_link_that_is_none_is_not_followed(server, arm, link) -> None:
    start = await begun(server, arm, {"Azure-AsyncOperation": link})
    await follow(arm, start, doing="make", deadline=Deadline(900))
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_an_operation_that_may_not_be_read_leaves_it_to_the_deployment(
    server, azure, status
) -> None:
    """Its link stands at the subscription, where a role at the account gives no right."""
    denied = {"error": {"code": "AuthorizationFailed", "message": "no authorization"}}
    server.on(f"GET {AT}", NONE, (200, shown(state="Creating")), (200, shown()))
    server.on(f"PUT {AT}", (201, shown(state="Creating"), {"Azure-AsyncOperation": "{url}/op"}))
    server.on("GET /op", (status, denied))
    assert (await azure.deploy("cand-1", TUNED, SLOT, tags={})).state == "ready"


async def test_an_operation_that_was_cancelled_is_over(server, arm) -> None:
    start = await begun(server, arm, {"Azure-AsyncOperation": "{url}/op"})
    server.on("GET /op", (200, {"status": "Cancelled"}))
    with pytest.raises(PlatformError, match="it ended Cancelled"):
        await follow(arm, start, doing="make", deadline=Deadline(900))


async def test_why_an_operation_failed_may_stand_in_its_properties(server, arm) -> None:
    start = await begun(server, arm, {"Azure-AsyncOperation": "{url}/op"})
    failed = {"status": "Failed", "properties": {"error": {"code": "Novel", "message": "it broke"}}}
    server.on("GET /op", (200, failed))
    with pytest.raises(PlatformError, match=r"Novel \(the service returned: it broke"):
        await follow(arm, start, doing="make", deadline=Deadline(900))


async def test_a_deployment_without_a_state_is_not_waited_for(server, azure) -> None:
    stateless = shown()
    del stateless["properties"]["provisioningState"]
    server.on(f"GET {AT}", (200, stateless))
    assert (await azure.deploy("cand-1", TUNED, SLOT, tags={})).state == "ready"
