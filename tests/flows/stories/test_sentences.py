"""One target goes through everything that can happen to what is live, and every sentence on it is held against the events.

Who decided, which model, which generation, when, by which verdict: `support.claims` reads it out of `live`, `history`,
`runs`, the reports in all their forms, the pages and what Prefect shows, and what it can't read fails as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.claims import false_claims
from support.project import Project
from support.topics import train_models
from support.truth import Truth
from support.walk import MODELS, Walk, review_pages, write_project

pytestmark = [
    pytest.mark.slow,
    # Prefect's clients leave sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def walk(
    tmp_path: Path, running: Any, prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Walk]:
    emulator, _ = running
    with ThreadPoolExecutor(1) as thread:  # the test's own loop may be running
        jobs = thread.submit(train_models, emulator, **MODELS).result()
    project = Project(tmp_path, actor="ada", more={"GATEWRIGHT_EMBEDDED_URL": emulator.url})
    write_project(project)
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    with review_pages(project, prefect_server) as url:
        yield Walk(project, jobs, url)


async def all_is_so(walk: Walk, *, reports: int = 1) -> list[str]:
    """Hold every view against the events; returns the kinds of the events, oldest first."""
    events = walk.events()
    found = []
    for told in await walk.look(reports=reports):
        then = [event for event in events if event.at <= (told.at or event.at)]
        found += false_claims(told, Truth(then))
    assert not found, "\n".join(found)
    return [event.kind for event in events]


async def test_every_sentence_on_a_target_is_so_whatever_happens_to_it(walk: Walk) -> None:
    await walk.promote("amber", by="ada")
    await walk.promote("beryl", by="bruno")
    assert {"first_release", "promotion"} <= set(await all_is_so(walk, reports=2))

    await walk.promote("coral", by="ada")
    waiting = await walk.promote("dusky", by="ada")
    assert {"model_refused", "run_waiting"} <= set(await all_is_so(walk, reports=2))

    walk.answer(waiting, "approve", by="cleo", reason="read the report")
    await walk.promote("dusky", by="ada")
    assert (await all_is_so(walk)).count("promotion") == 2

    refused = await walk.promote("ember", by="bruno")
    walk.answer(refused, "override", by="cleo", reason="a label error")
    assert (await all_is_so(walk)).count("override") == 1

    walk.answer(refused, "override", by="dmitri", reason="the same label error")
    await walk.promote("ember", by="bruno")
    assert (await all_is_so(walk)).count("promotion") == 3

    def back() -> None:
        asyncio.run(walk.roll_back(by="dmitri", reason="it writes nonsense"))

    await walk.promote_while("flint", by="ada", happens=back)
    assert (await all_is_so(walk, reports=9)).count("rollback") == 1

    walk.release(by="cleo", reason="all is well")
    walk.spoil()
    await walk.see_drift()
    assert "drift_found" in await all_is_so(walk)

    await walk.put_back(by="bruno", reason="changed by hand")
    walk.spoil()  # what no schedule has seen is on record all the same
    await walk.put_back(by="ada", reason="changed again")
    happened = await all_is_so(walk, reports=9)
    assert (happened.count("put_back"), happened.count("drift_over")) == (2, 1)
