"""Waiting for a deployment says what for, for how long, and what is seen instead; its end is configured."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from support.scripted_server import ACCOUNT, TUNED, azure_at, shown
from support.waiting import PATIENCE_S

from evals.errors import ConfigurationError
from evals.records import Endpoint
from evals.sampling.progress.snapshot import Snapshot
from flows.evaluation.progress import WaitsOfAsking, newest_snapshot, waits_shown
from flows.platforms import deadlines
from flows.platforms.asking.readiness import probe_until_ready
from flows.platforms.azure.azure_openai import AzureOpenAIPlatform
from flows.platforms.azure.options import read_options
from flows.platforms.base import Connection, Deployment, SlotSpec
from flows.platforms.data_plane import DataPlane
from flows.platforms.deadlines import (
    Deadline,
    PollingPace,
    _so_far,
    logging_waits,
    telling_of_waits,
)
from flows.platforms.fine_tuning.jobs import wait_finished
from flows.platforms.openai import OpenAIPlatform, read_openai_options

DEAD = "http://127.0.0.1:9"


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "TELL_EVERY_S", 0.01)


async def _probe(patience_s: float) -> None:
    async def headers() -> dict[str, str]:
        return {}

    endpoint = Endpoint(base_url=f"{DEAD}/v1", model="slot-1", model_id="m")
    plane = DataPlane(DEAD, lambda: pytest.fail("no SDK"), headers, credential="none")
    async with Deadline(patience_s, "slot-1 to answer") as deadline:
        await probe_until_ready(
            plane,
            Connection(endpoint=endpoint, auth=headers),
            pace=PollingPace(probe=0.02),
            deadline=deadline,
        )


async def told_while(work: Coroutine[Any, Any, object], enough: int = 1) -> list[str]:
    """Everything that is told of waits until `work` is done, or until enough was told."""
    told: list[str] = []
    with telling_of_waits(told.append):
        task = asyncio.ensure_future(work)
    while not task.done() and len(told) < enough:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return told


async def told_once(work: Coroutine[Any, Any, object], *words: str) -> str:
    """The first line that is told of a wait and has all these words; the work is over then."""
    told: list[str] = []
    with telling_of_waits(told.append):
        task = asyncio.ensure_future(work)
    found: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        while not task.done() and not found:
            await asyncio.sleep(0.01)
            found = [line for line in told if all(word in line for word in words)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert found, told
    return found[0]


async def test_a_wait_tells_what_it_is_for_what_it_sees_and_until_when(often: None) -> None:
    told = await told_while(_probe(PATIENCE_S), enough=2)
    assert re.match(
        rf"waiting for slot-1 to answer, \d+ m?s so far: could not ask slot-1: nothing answers at {DEAD} \(\w+\);"
        r" given up at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$",
        told[1],
    )


async def test_what_was_told_is_told_shorter_from_then_on(often: None) -> None:
    async def waiting() -> None:
        async with Deadline(PATIENCE_S, "slot-1 to answer") as deadline:
            while await deadline.pause(0.01, "HTTP 404: could not ask slot-1: …", "HTTP 404"):
                pass

    told = await told_while(waiting(), enough=3)
    assert ["could not ask" in line for line in told] == [True, False, False]
    assert all(": HTTP 404; given up at " in line for line in told[1:])


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "400 ms"), (30.04, "30 s"), (59.7, "1 min 00 s"), (90, "1 min 30 s")],
)
def test_how_long_a_wait_lasts_is_shown_in_whole_seconds(seconds: float, shown: str) -> None:
    assert _so_far(seconds) == shown


async def test_a_wait_stands_where_another_process_shows_it_until_it_is_over(
    often: None, tmp_path: Path
) -> None:
    async def waiting() -> None:
        with waits_shown(tmp_path / "run"):
            await _probe(PATIENCE_S)

    task = asyncio.create_task(waiting())
    while (shown := newest_snapshot(tmp_path / "run", 0)) is None:
        await asyncio.sleep(0.01)
    assert shown.note.startswith("waiting for slot-1 to answer")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    over = newest_snapshot(tmp_path / "run", 0)
    assert over is not None
    assert over.note == ""


def test_questions_on_the_side_tell_what_they_wait_for_once_each() -> None:
    told: list[str] = []
    sink = WaitsOfAsking()
    with telling_of_waits(told.append):
        for note in ("", "429 at 9:00", "429 at 9:00", "", "429 at 9:30"):
            sink.update(Snapshot(elapsed_s=1.0, roles={}, note=note))
    assert told == ["429 at 9:00", "429 at 9:30"]


async def test_what_is_waited_for_is_shown_and_logged(
    often: None, caplog: pytest.LogCaptureFixture
) -> None:
    flow_log: list[str] = []
    with caplog.at_level("INFO", "flows.platforms.deadlines"), logging_waits(flow_log.append):
        told = await told_while(_probe(PATIENCE_S))
    assert told[0] == flow_log[0] == caplog.messages[0]


async def test_a_wait_that_can_not_be_shown_goes_on(often: None) -> None:
    shown = []

    def broken(sentence: str) -> None:
        shown.append(sentence)
        raise OSError("no terminal")

    with telling_of_waits(broken):
        async with Deadline(PATIENCE_S, "nothing") as deadline:
            while not shown:
                assert await deadline.pause(0.01)
            assert await deadline.pause(0.01)


AT = f"{ACCOUNT}/deployments/cand-1"
CONFLICT = {"error": {"code": "RequestConflict", "message": "Another operation is being performed"}}
NONE = (404, {"error": {"code": "ResourceNotFound", "message": "none"}})
SLOT = SlotSpec(slot="developer", sku="DeveloperTier", capacity=100)
CHAT = "POST /openai/v1/chat/completions"
NOT_YET = (404, {"error": {"code": "DeploymentNotFound", "message": "does not exist"}})
QUOTA = (400, {"error": {"code": "InsufficientQuota", "message": "available capacity 0"}})


async def test_a_conflict_on_the_account_is_told(often: None, server: Any, azure: Any) -> None:
    server.on(f"GET {AT}", NONE)
    server.on(f"PUT {AT}", (409, CONFLICT))
    await told_once(
        azure.deploy("cand-1", TUNED, SLOT, tags={}),
        "waiting for cand-1 to be deployed, ",
        "the control plane returned 409 RequestConflict (another operation on the same",
        "to the request to create deployment cand-1, asked again in",
    )


async def test_throttling_of_any_request_is_told(often: None, server: Any, azure: Any) -> None:
    slow = (429, {"error": {"code": "TooManyRequests"}}, {"Retry-After": "1"})
    server.on(f"GET {ACCOUNT}/deployments", slow)
    await told_once(
        azure.list_deployments(),
        "waiting for the control plane to list deployments",
        "returned 429 TooManyRequests (it is throttling)",
        "asked again in 1.0 s",
    )


async def test_provisioning_is_told_with_the_state_of_its_operation(
    often: None, server: Any, azure: Any
) -> None:
    server.on(f"GET {AT}", NONE)
    going = {"Azure-AsyncOperation": "{url}/operations/1"}
    server.on(f"PUT {AT}", (201, shown(state="Creating"), going))
    server.on("GET /operations/1", (200, {"status": "Running"}))
    said = "the operation's status is Running; given up at"
    await told_once(azure.deploy("cand-1", TUNED, SLOT, tags={}), said)


async def test_a_deletion_is_told_with_the_state_of_the_deployment(
    often: None, server: Any, azure: Any
) -> None:
    server.on(f"GET {AT}", (200, shown(state="Deleting")))
    server.on(f"DELETE {AT}", (202, None))
    said = ("waiting for cand-1 to be deleted, ", "it is deleting; given up at")
    await told_once(azure.delete("cand-1"), *said)


async def test_quota_that_comes_back_late_is_told(
    often: None, server: Any, azure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on(f"GET {AT}", (200, shown(state="Failed")), NONE)
    server.on(f"DELETE {AT}", (204, None))
    server.on(f"PUT {AT}", QUOTA)
    said = "the quota of what was deleted is not back yet"
    await told_once(azure.deploy("cand-1", TUNED, SLOT, tags={}), said)


async def test_a_data_plane_that_lags_is_told_with_its_answer(
    often: None, server: Any, azure: Any
) -> None:
    server.on(f"GET {AT}", (200, shown()))
    server.on(CHAT, NOT_YET)
    ready = Deployment(name="cand-1", model_id=TUNED, state="ready", slot="developer")
    whole = "HTTP 404: could not ask cand-1: DeploymentNotFound"
    await told_once(azure.wait_ready(ready), "waiting for cand-1 to answer, ", whole)
    await told_once(azure.wait_ready(ready), "so far: HTTP 404 DeploymentNotFound; given up at ")


async def test_a_request_that_hangs_is_told_too(often: None) -> None:
    hung_up = asyncio.Event()

    async def take_and_say_nothing(asks: asyncio.StreamReader, says: asyncio.StreamWriter) -> None:
        await asks.read()
        says.close()
        await says.wait_closed()
        hung_up.set()

    mute = await asyncio.start_server(take_and_say_nothing, "127.0.0.1", 0)
    azure = azure_at(f"http://127.0.0.1:{mute.sockets[0].getsockname()[1]}")
    await told_once(azure.get("cand-1"), "waiting for the control plane to read deployment cand-1")
    await azure.aclose()
    await hung_up.wait()
    mute.close()


async def test_who_waits_for_another_write_of_this_process_is_told(
    often: None, server: Any, azure: Any
) -> None:
    server.on(f"GET {AT}", NONE)
    async with azure.account.writing:
        work = azure.deploy("cand-1", TUNED, SLOT, tags={})
        await told_once(work, "this process still writes to the account")


async def test_a_job_that_is_pending_is_told(often: None, server: Any, azure: Any) -> None:
    job = {"id": "ftjob-1", "object": "fine_tuning.job", "status": "pending", "model": "m"}
    server.on("GET /openai/v1/fine_tuning/jobs/ftjob-1", (200, job))
    said = ("waiting for job ftjob-1 to end, ", "its status is pending; given up at")
    await told_once(wait_finished(azure, "ftjob-1", poll_s=0.01), *said)


def test_how_long_a_model_may_take_to_answer_is_configured() -> None:
    options = read_openai_options({"base_url": DEAD, "ready_within_s": 90})
    assert OpenAIPlatform(options, {})._pace.ready == 90
    with pytest.raises(ConfigurationError, match="ready_within_s"):
        read_openai_options({"ready_within_s": 0})


def test_both_limits_of_a_deployment_are_configured() -> None:
    block = {"subscription": "s", "resource_group": "g", "account": "a"}
    options = read_options({**block, "deploy_within_s": 600, "ready_within_s": 90})
    pace = AzureOpenAIPlatform(options, {})._pace
    assert (pace.deploy, pace.ready) == (600, 90)
    assert AzureOpenAIPlatform(read_options(block), {})._pace == PollingPace()
    with pytest.raises(ConfigurationError, match="deploy_within_s"):
        read_options({**block, "deploy_within_s": 0})
