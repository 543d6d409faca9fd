"""Writes of one account are serialised: who comes at the wrong moment waits, longer each time, until the deadline."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.scripted_server import HASTY

from evals.errors import PlatformError
from flows.platforms.azure.arm.transport import ArmClient
from flows.platforms.azure.credentials import FixedToken
from flows.platforms.deadlines import Deadline

PATH = "/subscriptions/s"
ANOTHER = "Another operation is being performed on the parent resource. Please try again later."
NOT_READY = "Account /subscriptions/s is not in state Succeeded. Current state: {}"


def refused(code: str, message: str = "said") -> Any:
    return {"error": {"code": code, "message": message}}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, refused("RequestConflict")),
        (409, refused("Conflict", ANOTHER)),
        (409, refused("Conflict", "no") | {"x": 1} | refused("RequestConflict")),
        (412, refused("IfMatchPreconditionFailed")),
        (409, refused("AccountIsNotSucceeded", NOT_READY.format("Accepted"))),
        (400, refused("accountisnotsucceeded", NOT_READY.format("'Updating'"))),
    ],
)
async def test_a_conflict_is_waited_out_however_often_it_comes(server, arm, status, body) -> None:
    server.on(f"PUT {PATH}", *[(status, body)] * 6, (201, {}))
    answer = await arm.send("PUT", PATH, doing="make", body={}, deadline=Deadline(900))
    assert answer.status == 201
    assert len(server.seen) == 7


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, refused("Conflict", "no")),
        (409, refused("FlagMustBeSetForRestore")),
        (409, refused("AccountIsNotSucceeded", NOT_READY.format("Failed"))),
        (412, refused("Novel")),
        (400, refused("InsufficientQuota")),
        (403, refused("AuthorizationFailed")),
    ],
)
async def test_other_conflicts_and_refusals_are_not_repeated(server, arm, status, body) -> None:
    server.on(f"PUT {PATH}", (status, body))
    with pytest.raises(PlatformError) as caught:
        await arm.send("PUT", PATH, doing="make", body={})
    assert caught.value.code == body["error"]["code"]
    assert len(server.seen) == 1


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}, {"Retry-After": "3600"}])
async def test_a_conflict_is_asked_about_less_and_less_often_until_the_deadline(
    server, headers
) -> None:
    arm = ArmClient(
        FixedToken("t"), base_url=server.url, pace=replace(HASTY, first_pause=0.02, attempts=2)
    )
    server.on(f"PUT {PATH}", (409, refused("Conflict", ANOTHER), headers))
    limit = Deadline(0.5)
    with pytest.raises(PlatformError, match="another operation on the same account") as caught:
        await arm.send("PUT", PATH, doing="make", body={}, deadline=limit)
    await arm.aclose()
    assert caught.value.code == "Conflict"
    assert limit.left < 0.1
    assert len(server.seen) < 10
