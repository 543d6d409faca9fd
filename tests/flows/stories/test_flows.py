"""The flows on a real Prefect server: a promotion, a look at what is live, a way back, and the watcher."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.logging.handlers import APILogWorker
from support.project import Project
from support.waiting import PATIENCE_S

from evals.sampling.progress.snapshot import RoleProgress, Snapshot
from flows.emulator.server import Emulator
from flows.platforms import deadlines
from flows.platforms.fine_tuning import jobs
from flows.platforms.table import open_platform
from flows.registry.opening import open_registry
from flows.settings import load_settings

pytestmark = [
    pytest.mark.slow,
    # Prefect's clients leave sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SYSTEM = "Which team is this for? Answer with one word."
WORDS = {
    "billing": ["invoice", "refund", "charge", "price", "receipt", "payment"],
    "access": ["password", "login", "locked", "invite", "token", "account"],
    "bug": ["crash", "error", "broken", "freeze", "blank", "wrong"],
}
GATE = """
version: 1
name: teams
first_release: absolute_checks
early_stop: false
checks:
  - {metric: team.accuracy, at_least: 0.5, max_drop: 0.1}
on_inconclusive: needs_approval
"""
TARGET = """
version: 1
name: teams
platform: embedded
suites: [teams]
gate: teams
sampling: {concurrency: 16}
promotion: {smoke_cases: 2}
regression: {cron: "0 6 * * 1", on_fail: [alert, hold]}
watch: {metadata: {target: teams}}
"""


def sentences(each: int, start: int = 0) -> Iterator[tuple[str, str]]:
    for label, words in WORDS.items():
        for number in range(start, start + each):
            first, second = words[number % 6], words[(number // 6) % 6]
            yield f"number {number}: the {first} about our {second} needs you", label


SUITE = {
    "version": 1,
    "name": "teams",
    "prompt": [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "{{ item.text }}"},
    ],
    "graders": [{"name": "team", "type": "label", "labels": sorted(WORDS)}],
}


def training(shift: int = 0) -> bytes:
    """Chat examples; with a shift every answer is another team's, so that the model learns nonsense."""
    labels = sorted(WORDS)
    return b"".join(
        json.dumps(
            {
                "messages": [
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": text},
                    {
                        "role": "assistant",
                        "content": labels[(labels.index(label) + shift) % len(labels)],
                    },
                ]
            }
        ).encode()
        + b"\n"
        for text, label in sentences(30)
    )


async def fine_tune(name: str, shift: int = 0) -> jobs.Job:
    platform = open_platform("embedded", {}, os.environ)
    try:
        file = await jobs.upload_file(platform, training(shift), poll_s=0.05)
        job = await jobs.create_job(
            platform,
            model="gpt-4.1-mini-2025-04-14",
            training_file=file,
            suffix=name,
            metadata={"target": "teams"},
        )
        return await jobs.wait_finished(platform, job.id, poll_s=0.1)
    finally:
        await platform.aclose()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator"), port=0) as running:
        yield running


@pytest.fixture
def home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: str, emulator: Emulator
) -> Path:
    project = Project(tmp_path, actor="test", more={"GATEWRIGHT_EMBEDDED_URL": emulator.url})
    project.write_target("teams", TARGET)
    project.write_gate("teams", GATE)
    cases = (
        {"id": f"s-{number:03}", "item": {"text": text}, "expected": label}
        for number, (text, label) in enumerate(sentences(30, start=100))
    )
    project.write_suite("teams", SUITE, cases)
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    return project.home


def live() -> Any:
    with open_registry(load_settings()) as registry:
        return registry.live("teams")


async def test_a_candidate_is_promoted_watched_over_and_gone_back_from(home: Path):
    from flows.promotion import promote
    from flows.regression import regress
    from flows.rollback import roll_back

    good, second, bad = await fine_tune("v1"), await fine_tune("v2"), await fine_tune("v3", shift=1)

    first = await promote(target="teams", job_id=good.id)
    assert (first["state"], first["verdict"]) == ("promoted", "PASS")
    assert live().model_id == good.model_id

    again = await promote(target="teams", job_id=good.id)
    assert again["run_id"] == first["run_id"], "the same trigger twice is one run"
    assert live().generation == 1

    refused = await promote(target="teams", job_id=bad.id)
    assert (refused["state"], refused["verdict"]) == ("refused", "FAIL")
    assert live().model_id == good.model_id, "a refusal leaves the old model live"

    better = await promote(target="teams", job_id=second.id)
    assert better["state"] == "promoted"
    assert live().model_id == second.model_id

    looked = await regress(target="teams")
    assert looked["verdict"] == "PASS"
    assert live().generation == 2, "looking changes nothing"

    assert await roll_back(target="teams", reason="test") == good.model_id
    assert live().model_id == good.model_id
    with open_registry(load_settings()) as registry:
        assert registry.held("teams") is not None, "automation may not undo a rollback"
        assert registry.verify() == ()
    assert all(Path(run["report"]).exists() for run in (first, refused, better))


async def progress_pages(run_id: str) -> list[Any]:
    """The progress artifacts of a run."""
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[f"progress-{run_id}"]))
    async with get_client() as client:
        return await client.read_artifacts(artifact_filter=wanted)


async def logged(flow_run_id: Any, last: str) -> list[str]:
    """What a flow run has logged, as the server gives it once it has what begins with `last`."""
    APILogWorker.instance().drain()
    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id]))
    async with asyncio.timeout(PATIENCE_S), get_client() as client:
        while True:
            lines = [line.message for line in await client.read_logs(wanted)]
            if any(line.startswith(last) for line in lines):
                return lines
            await asyncio.sleep(0.1)


async def test_how_far_asking_is_and_what_is_waited_for_stand_on_the_pages_of_the_flow_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    from flows.promotion import promote

    monkeypatch.setattr(deadlines, "TELL_EVERY_S", 0.1)
    gate = home.parent / "gates" / "teams.yaml"
    gate.write_text(GATE.replace("early_stop: false\n", ""))
    job = await fine_tune("shown")
    run = await promote(target="teams", job_id=job.id)
    pages = await progress_pages(run["run_id"])
    assert 1 <= len(pages) <= 3, "one for each round"
    for page in pages:
        assert (page.type, page.flow_run_id is not None) == ("progress", True)
        assert 0 < page.data <= 100
        assert re.match(r"candidate: \d+ of 90 \(\d+%\) done, .*no failures; ", page.description)
    lines = await logged(pages[0].flow_run_id, "report: ")
    for what in ("-dev to be deployed, ", "-dev to be deleted, "):
        assert any(line.startswith("waiting for gw-teams") and what in line for line in lines), what
    assert any("; given up at " in line and line.endswith(" UTC") for line in lines)


@pytest.fixture
def warnings_of_runs() -> Iterator[list[str]]:
    """What flow runs warn of, heard at their logger: what is printed of it depends on the test that started Prefect."""
    heard: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("prefect.flow_runs")
    logger.addHandler(handler)
    yield heard
    logger.removeHandler(handler)


async def test_a_progress_page_is_kept_up_to_date_and_never_stops_the_work(
    home: Path, warnings_of_runs: list[str], caplog: pytest.LogCaptureFixture
):
    from prefect import flow

    from flows.orchestration.artifacts import showing_progress

    def shot(done: int, note: str = "") -> Snapshot:
        role = RoleProgress(model_id="m", done=done, planned=200)
        return Snapshot(elapsed_s=1.0, roles={"candidate": role}, note=note)

    @flow(name="asking")
    async def asking() -> str:
        async with showing_progress("Run-1", ["PASS  exact"]) as page:
            page.update(shot(50))
            await page.send()
            page.update(shot(140, "waiting for slot-1: 429"))
            page.update(shot(150, "waiting for slot-1: 429"))
        (kept,) = await progress_pages("run-1")
        assert (kept.data, kept.description.splitlines()[-1]) == (75.0, "PASS  exact")
        assert "waiting for slot-1: 429" in kept.description
        async with showing_progress("no key for the server") as page:
            page.update(shot(50))
            await page.send()
            page.update(shot(60))
        return "done"

    with caplog.at_level(logging.INFO, "prefect.flow_runs"):
        assert await asking() == "done"
    assert caplog.messages.count("waiting for slot-1: 429") == 1
    said = [text for text in warnings_of_runs if "the progress page could not be updated" in text]
    assert len(said) == 1


async def test_no_developer_slot_is_left_behind_whatever_the_outcome(home: Path):
    from flows.promotion import promote

    good, bad = await fine_tune("a"), await fine_tune("b", shift=1)
    await promote(target="teams", job_id=good.id)
    await promote(target="teams", job_id=bad.id)
    platform = open_platform("embedded", {}, os.environ)
    try:
        standing = [found.name for found in await platform.list_deployments()]
    finally:
        await platform.aclose()
    assert not [name for name in standing if name.endswith("-dev")]


async def test_a_job_that_is_not_known_is_a_failed_flow_with_a_clear_reason(home: Path):
    from evals.errors import GatewrightError
    from flows.promotion import promote

    with pytest.raises(GatewrightError, match="ftjob-unknown"):
        await promote(target="teams", job_id="ftjob-unknown")
    with open_registry(load_settings()) as registry:
        (run,) = registry.runs("teams")
    assert run.state == "failed"
    assert "ftjob-unknown" in run.detail


async def test_the_watcher_starts_a_new_job_once_and_an_old_one_never(
    home: Path, prefect_server: str
):
    from flows.promotion import promote
    from flows.watch import watch

    async with get_client() as client:
        flow_id = await client.create_flow(promote)
        await client.create_deployment(
            flow_id, name="promotion", entrypoint="flows.promotion.promote"
        )

    old = await fine_tune("old")
    await asyncio.sleep(1.1)  # jobs end at whole seconds
    assert await watch() == [], "the first look only remembers the time"
    new = await fine_tune("new")
    assert await watch() == [new.id]
    await watch()

    async with get_client() as client:
        runs = [
            run for run in await client.read_flow_runs() if run.parameters.get("job_id") == new.id
        ]
        olds = [
            run for run in await client.read_flow_runs() if run.parameters.get("job_id") == old.id
        ]
    assert len(runs) == 1, "seen twice, started once"
    assert olds == []


async def test_a_live_model_that_no_longer_holds_is_alerted_and_holds_automation(home: Path):
    from flows.promotion import promote
    from flows.regression import regress

    good = await fine_tune("fine")
    await promote(target="teams", job_id=good.id)
    cases = home.parent / "datasets" / "teams" / "cases.jsonl"
    words = sorted(WORDS)
    rows = [json.loads(line) for line in cases.read_text().splitlines()]
    for row in rows:  # the world has changed: what was right is wrong now
        row["expected"] = words[(words.index(row["expected"]) + 1) % len(words)]
    cases.write_text("".join(json.dumps(row) + "\n" for row in rows))

    looked = await regress(target="teams")
    assert looked["verdict"] == "FAIL"
    with open_registry(load_settings()) as registry:
        assert registry.held("teams") is not None
        assert registry.live("teams").model_id == good.model_id, "what is live stays live"
    assert await event_of(looked["run_id"]) == good.model_id


async def test_a_change_in_the_portal_is_told_once_by_the_scheduled_look(home: Path):
    from prefect import flow

    from flows import tasks
    from flows.promotion import promote

    @flow(name="look", persist_result=False)
    async def look() -> str:
        (looked,) = await tasks.check_drift("teams", settle_s=0.05)
        return str(looked.reason)

    good = await fine_tune("fine")
    await promote(target="teams", job_id=good.id)
    with open_registry(load_settings()) as registry:
        live = registry.live("teams")
    assert await look() == ""
    platform = open_platform("embedded", {}, os.environ)
    try:
        await platform.delete(live.deployment)
    finally:
        await platform.aclose()
    assert await look() == await look() == f"deployment {live.deployment} is gone"
    (told,) = await events_named("gatewright.drift.found", at_least=1)
    assert told["resource"]["prefect.resource.id"] == "gatewright.target.teams"
    assert told["payload"]["model_id"] == good.model_id
    with open_registry(load_settings()) as registry:
        assert [event.kind for event in registry.history("teams")].count("drift_found") == 1

    # What draws near is told in the same way, once.
    @flow(name="ahead", persist_result=False)
    async def ahead() -> int:
        return len(await tasks.check_lifecycle("teams"))

    soon = (datetime.now(UTC) + timedelta(days=20)).date()
    base = "gpt-4.1-mini-2025-04-14"
    days = f"{{fine_tunes_end: {soon}, training_ends: '2026-01-01'}}"
    target = home.parent / "targets" / "teams.yaml"
    target.write_text(f"{target.read_text()}\nembedded: {{lifetimes: {{{base}: {days}}}}}\n")
    assert (await ahead(), await ahead()) == (2, 0)
    told = await events_named("gatewright.lifecycle.warning", at_least=2)
    assert {one["payload"]["kind"] for one in told} == {"retirement", "training_ends"}


async def test_a_worse_model_behind_the_live_name_is_caught_by_the_canary_and_by_the_regression_it_starts(
    home: Path, emulator: Emulator
):
    from flows.canary import canary
    from flows.emulator.state.documents import TunedModel
    from flows.orchestration.artifacts import CANARY_CHANGED
    from flows.promotion import promote
    from flows.regression import regress

    good, worse = await fine_tune("good"), await fine_tune("worse", shift=1)
    await promote(target="teams", job_id=good.id)
    assert await canary(target="teams") == {"teams": "chosen"}
    async with get_client() as client:
        await client.create_deployment(await client.create_flow(regress), name="regression")
    store = emulator.state.store
    changed = store.get(TunedModel, good.model_id)
    changed.artifact = store.get(TunedModel, worse.model_id).artifact
    store.put(changed)

    assert await canary(target="teams") == {"teams": "changed"}
    assert await canary(target="teams") == {"teams": "changed"}
    (told,) = await events_named(CANARY_CHANGED, at_least=1)
    assert told["payload"]["model_id"] == good.model_id
    async with get_client() as client:
        started = [
            run
            for run in await client.read_flow_runs()
            if run.parameters == {"target": "teams", "requested_by": "canary"}
        ]
    assert len(started) == 1
    found = await regress(target="teams", requested_by="canary")  # as a worker does
    assert found["outcome"] == "worse"
    assert await canary(target="teams") == {"teams": "changed"}
    with open_registry(load_settings()) as registry:
        change = registry.canary("teams").change
        assert (change.run_id, change.regressed) == (found["run_id"], "worse")
        assert registry.lease(found["run_id"]) is None


async def event_of(run_id: str) -> str | None:
    """The model that the server's event about a failed regression run names."""
    from flows.orchestration.artifacts import REGRESSION_FAILED

    for event in await events_named(REGRESSION_FAILED, at_least=1):
        if event["payload"]["run_id"] == run_id:
            return str(event["payload"]["model_id"])
    return None


async def events_named(name: str, *, at_least: int) -> list[Any]:
    """What the server knows of a kind of event, once there are so many."""
    asked = {"filter": {"event": {"name": [name]}}, "limit": 50}
    async with asyncio.timeout(PATIENCE_S), get_client() as client:
        while True:
            answer = await client._client.post("/events/filter", json=asked)
            found: list[Any] = answer.json()["events"]
            if len(found) >= at_least:
                return found
            await asyncio.sleep(0.2)
