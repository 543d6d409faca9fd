"""A worse model behind the live name, as after a change inside of the service: found at the first look after it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.clock import Clock
from support.prefect_stand_in import prefect_stand_in
from support.promoted import SYSTEM, TARGET, WORDS, sentences

from flows.emulator.state.documents import TunedModel
from flows.monitoring.canary.look import look_at
from flows.monitoring.canary.status import CanaryStatus
from flows.orchestration.prefect_api import PrefectApi
from flows.platforms.fine_tuning import jobs
from flows.platforms.table import open_platform
from flows.registry.store import Registry
from flows.settings import load_settings


async def worse_model() -> str:
    """Train a model that takes most messages for a bug; returns its id."""
    platform = open_platform("embedded", {}, os.environ)
    other = dict(zip(WORDS, reversed(list(WORDS)), strict=True))
    rows = (
        {
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": text},
                {"role": "assistant", "content": other[label]},
            ]
        }
        for text, label in sentences(0, 15)
    )
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    try:
        file = await jobs.upload_file(platform, content, poll_s=0.05)
        job = await jobs.create_job(
            platform, model="gpt-4.1-mini-2025-04-14", training_file=file, suffix="worse", seed=1
        )
        done = await jobs.wait_finished(platform, job.id, poll_s=0.1)
    finally:
        await platform.aclose()
    assert done.model_id
    return done.model_id


@pytest.fixture
def swap(place: Any) -> Iterator[Callable[[], None]]:
    """Have the live model's name answer with the weights of a worse one; put back after the test."""
    store = place.emulator.state.store
    with Registry.open(load_settings().registry_url) as registry:
        live = registry.live(TARGET)
    assert live is not None
    tuned = store.get(TunedModel, live.model_id)
    before = tuned.artifact

    def change(artifact: str) -> None:
        tuned.artifact = artifact
        store.put(tuned)

    yield lambda: change(store.get(TunedModel, asyncio.run(worse_model())).artifact)
    change(before)


def moving(clock: Clock) -> Callable[[], Any]:
    """The same clock, a little later each time it is read, as clocks are."""

    def now() -> Any:
        clock.pass_(milliseconds=1)
        return clock()

    return now


@pytest.fixture
def look(place: Any) -> Iterator[Callable[[], CanaryStatus]]:
    """Look an hour later, with a Prefect server at hand."""
    clock = Clock()
    now = moving(clock)
    settings = load_settings()
    with prefect_stand_in() as prefect, Registry.open(settings.registry_url, now=now) as registry:

        async def once() -> CanaryStatus:
            async with PrefectApi(prefect.url) as api:
                return await look_at(settings, registry, TARGET, api)

        def found() -> CanaryStatus:
            clock.pass_(hours=1)
            status = asyncio.run(once())
            assert len(prefect.runs) == (status.change is not None)
            return status

        yield found


def test_the_first_look_after_the_swap_finds_it_and_starts_a_regression(look, swap):
    first = look()
    assert (first.last.outcome, first.own_answers, first.cases) == ("chosen", False, 20)
    assert look().last.outcome == "alike"
    swap()
    found = look()
    assert found.last.outcome == "changed"
    assert found.change.answers
    assert found.change.flow_run
    assert found.news
    assert not look().news


def test_a_swap_before_the_first_look_ever_is_told_by_the_kept_answers(look, swap):
    swap()
    found = look()
    assert (found.last.outcome, found.cases) == ("changed", 0)
    assert "than when it was promoted" in found.change.said
    assert look().last.outcome == "changed"


def test_the_answers_of_a_fresh_pass_count_beside_those_of_the_promotion(place, look):
    assert place.run("reference", TARGET) == 0
    look()
    with Registry.open(load_settings().registry_url) as registry:
        state = registry.canary(TARGET)
    assert {one.agreed for one in state.cases} == {7}


def test_answers_that_vary_and_a_service_that_is_slow_are_no_change(place, look):
    look()
    place.emulator.set(varied_answer_rate=0.05, latency_ms=(20.0, 40.0))
    try:
        found = [look() for _ in range(3)]
    finally:
        place.emulator.set(varied_answer_rate=0.0, latency_ms=(5.0, 15.0))
    assert [one.last.outcome for one in found] == ["alike"] * 3
    assert found[-1].last.latency is not None  # shown, whatever it is


def test_a_new_fingerprint_of_the_same_model_is_a_change(place, look):
    look()
    place.emulator.set(fingerprint_suffix="-b")
    try:
        found = look()
    finally:
        place.emulator.set(fingerprint_suffix="")
    assert found.last.outcome == "changed"
    assert found.change.marks and not found.change.answers


def test_the_command_says_what_it_found_and_leaves_with_its_code(place, swap, capsys):
    assert place.run("canary", TARGET) == 0
    assert "CHOSEN" in capsys.readouterr().out
    assert place.run("canary", TARGET) == 0
    shown = capsys.readouterr().out
    assert "at most one look in 8,784" in shown
    assert "calls" in shown
    swap()
    assert place.run("canary", TARGET, "--json") == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert found["last"]["outcome"] == "changed"
    assert "PREFECT_API_URL" in found["change"]["problem"]
    assert place.run("canary") == 0
    assert "no target file has a canary" in capsys.readouterr().out
