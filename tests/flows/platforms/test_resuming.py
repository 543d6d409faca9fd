"""A paused deployment is seen, resumed where it is ours, and waited for until it answers, however late that shows."""

from __future__ import annotations

from typing import Any

import pytest
from support.scripted_server import ACCOUNT, TUNED, Scripted, Seen, azure_at, shown

from evals.errors import PlatformError
from flows.platforms.base import SlotSpec

AT = f"{ACCOUNT}/deployments/prod"
CHAT = "POST /openai/v1/chat/completions"
SLOT = SlotSpec(slot="production", sku="GlobalStandard", capacity=10)
PAUSED = (423, {"error": {"code": "DeploymentPaused", "message": "The deployment is paused."}})
READY = (200, {"model": TUNED, "choices": [{"message": {"content": "ready"}}]})


async def test_what_was_resumed_is_waited_for_until_it_is_shown_and_answers(
    embedded, models, emulator
) -> None:
    emulator.set(resume_shown_lag_s=0.1, resume_lag_s=0.15)
    model = models.first.model_id
    await embedded.deploy("prod", model, SLOT, tags={"run": "r"})
    await embedded.pause("prod")
    assert (await embedded.get("prod")).state == "paused"
    again = await embedded.deploy("prod", model, SLOT, tags={"run": "r"})
    assert again.state == "ready"
    connection = await embedded.wait_ready(again)
    assert connection.endpoint.model_id == model


class Paused:
    """A paused deployment; what an older api-version says of it does not tell."""

    def __init__(self, server: Scripted, tags: dict[str, str]) -> None:
        self.paused, self.tags = True, tags
        server.on(f"GET {AT}", self.read)
        server.on(f"POST {AT}/resume", self.resume)
        server.on(CHAT, lambda _seen: PAUSED if self.paused else READY)

    def read(self, seen: Seen) -> Any:
        found = shown(name="prod", sku="GlobalStandard", capacity=10, tags=self.tags)
        if seen.query["api-version"] >= "2025-12-01":
            found["properties"]["deploymentState"] = "Paused" if self.paused else "Running"
        return 200, found

    def resume(self, _seen: Seen) -> Any:
        self.paused = False
        return 200, {}


OURS = {"gatewright": "production"}


async def test_deployments_are_read_in_a_version_that_shows_which_are_paused(server, azure) -> None:
    Paused(server, OURS)
    found = await azure.get("prod")
    assert found.state == "paused"


async def test_where_an_older_version_hides_it_the_first_423_has_ours_resumed(server) -> None:
    Paused(server, OURS)
    platform = azure_at(server.url, arm_api_version="2025-06-01")
    found = await platform.get("prod")
    assert found.state == "ready"
    await platform.wait_ready(found)
    assert len(server.asked(f"POST {AT}/resume")) == 1
    await platform.aclose()


async def test_somebody_elses_is_not_resumed(server) -> None:
    Paused(server, {})
    platform = azure_at(server.url, arm_api_version="2025-06-01")
    found = await platform.get("prod")
    with pytest.raises(PlatformError, match="paused") as caught:
        await platform.wait_ready(found)
    assert caught.value.status == 423
    assert not server.asked(f"POST {AT}/resume")
    await platform.aclose()


async def test_a_resume_that_is_refused_says_so(server) -> None:
    Paused(server, OURS)
    server.on(f"POST {AT}/resume", (403, {"error": {"code": "AuthorizationFailed"}}))
    platform = azure_at(server.url, arm_api_version="2025-06-01")
    with pytest.raises(PlatformError, match="prod is paused and can't be resumed") as caught:
        await platform.wait_ready(await platform.get("prod"))
    assert (caught.value.status, "resume/action" in str(caught.value.hint)) == (423, True)
    await platform.aclose()
