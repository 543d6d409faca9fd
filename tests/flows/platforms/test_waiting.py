"""Waiting for a deployment says what for, for how long, and what is seen instead; its end is configured."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evals.errors import ConfigurationError
from evals.records import Endpoint
from flows.evaluation.progress import newest_snapshot, waits_shown
from flows.platforms import deadlines
from flows.platforms.base import Connection
from flows.platforms.data_plane import DataPlane
from flows.platforms.deadlines import Deadline, PollingPace, telling_of_waits
from flows.platforms.openai import OpenAIPlatform, read_openai_options
from flows.platforms.readiness import probe_until_ready

DEAD = "http://127.0.0.1:9"


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "TELL_EVERY_S", 0.01)


async def _probe(patience_s: float) -> None:
    async def headers() -> dict[str, str]:
        return {}

    endpoint = Endpoint(base_url=f"{DEAD}/v1", model="slot-1", model_id="m")
    plane = DataPlane(DEAD, lambda: pytest.fail("no SDK"), headers, credential="none")
    await probe_until_ready(
        plane,
        Connection(endpoint=endpoint, auth=headers),
        pace=PollingPace(probe=0.02),
        deadline=Deadline(patience_s, "slot-1 to answer"),
    )


class Enough(Exception):
    pass


async def test_a_wait_tells_what_it_is_for_and_what_it_sees(often: None) -> None:
    told: list[str] = []

    def tell(sentence: str) -> None:
        told.append(sentence)
        if len(told) == 2:
            raise Enough

    with telling_of_waits(tell), pytest.raises(Enough):
        await _probe(60)
    assert told[0].startswith("waiting for slot-1 to answer, ")
    assert " s so far, given up after 60 s: " in told[0]
    assert f"nothing answers at {DEAD}" in told[0]


async def test_a_wait_stands_where_another_process_shows_it(often: None, tmp_path: Path) -> None:
    with waits_shown(tmp_path):
        waiting = asyncio.create_task(_probe(60))
    while (shown := newest_snapshot(tmp_path, 0)) is None:
        await asyncio.sleep(0.01)
    waiting.cancel()
    assert shown.note.startswith("waiting for slot-1 to answer")


def test_how_long_a_model_may_take_to_answer_is_configured() -> None:
    options = read_openai_options({"base_url": DEAD, "ready_within_s": 90})
    assert OpenAIPlatform(options, {})._pace.ready == 90
    with pytest.raises(ConfigurationError, match="ready_within_s"):
        read_openai_options({"ready_within_s": 0})
