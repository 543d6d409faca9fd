"""A trigger is done when its run is on record and alive: what dies before it began is seen, and replaced."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from evals.errors import InfrastructureError, RegistryError
from flows.config.target import load_target
from flows.evaluation.request import run_id_of
from flows.registry.opening import wait_for_registry
from flows.service.dispatcher.dispatch import Dispatcher
from flows.service.dispatcher.messages import Trigger
from flows.service.dispatcher.prefect_runs import PrefectRuns
from flows.service.dispatcher.timing import Timing
from flows.service.dispatcher.watching import Look, start_finished

NOBODY = "http://127.0.0.1:9"


def run_of(job_id: str) -> str:
    return run_id_of("triage", "promotion", {"job_id": job_id})


@pytest.fixture
def job(platform: Any) -> str:
    return str(platform.fine_tune({"target": "triage"}).id)


async def drained(settings: Any, registry: Any, prefect: Any, job: str) -> str:
    """Have a webhook's message tried once and return what was said of it."""
    trigger = Trigger(kind="job", subject=job, event="fine_tuning.job.succeeded")
    registry.inbox_put("wh_1", {"kind": "job", "subject": job, "event": trigger.event})
    async with PrefectRuns(prefect.url, patience_s=0.1) as api:
        return (await Dispatcher(settings, registry, api).drain())["wh_1"]


async def test_a_run_is_on_record_before_prefect_is_asked(
    settings: Any, registry: Any, prefect: Any, project: Any, job: str
) -> None:
    prefect.down = True
    assert "503" in await drained(settings, registry, prefect, job)
    assert registry.run(run_of(job)).state == "requested"
    shown = project.command("runs").out
    assert run_of(job) in shown
    assert f"succeeded: {job}" in shown, "what is not dealt with is shown, and why"
    assert "tried 1 time: " in shown and "503" in shown


async def test_a_trigger_whose_run_can_not_be_recorded_is_kept(
    settings: Any, registry: Any, prefect: Any, job: str
) -> None:
    (settings.gates / "triage.yaml").unlink()
    assert "there is no gate 'triage'" in await drained(settings, registry, prefect, job)
    assert [message.message_id for message in registry.inbox_pending()] == ["wh_1"]
    assert prefect.runs == {}


@pytest.mark.parametrize("state", ["FAILED", "CRASHED"])
async def test_a_flow_run_that_died_before_it_began_is_replaced_within_a_minute(
    settings: Any, registry: Any, prefect: Any, job: str, state: str
) -> None:
    await drained(settings, registry, prefect, job)
    prefect.end(f"triage:{job}", state)
    async with PrefectRuns(prefect.url, patience_s=0.1) as api:
        said = await Dispatcher(settings, registry, api, Timing(grace=0)).look_after()
        assert f"(key triage:{job}#2)" in said[run_of(job)]
        assert await Dispatcher(settings, registry, api).look_after() == {}, "it was just asked for"


async def look(settings: Any, prefect: Any) -> Look:
    async with PrefectRuns(prefect.url, patience_s=0.1) as api:
        return await start_finished(settings, api, load_target(settings.targets, "triage"), since=0)


async def test_the_watcher_says_started_of_what_is_on_record_and_alive_and_replaces_the_dead(
    settings: Any, registry: Any, prefect: Any, job: str
) -> None:
    prefect.down = True
    with pytest.raises(InfrastructureError):
        await look(settings, prefect)
    prefect.down = False
    first = await look(settings, prefect)
    assert job in first.said and registry.run(run_of(job)).requested_by == "watch"
    prefect.end(f"triage:{job}", "FAILED")
    second = await look(settings, prefect)
    assert f"(key triage:{job}#2)" in second.said[job]
    assert second.started == ()
    registry.set_run_state(run_of(job), "evaluating")
    assert job not in (await look(settings, prefect)).said, "what has begun is no news"


def test_what_is_submitted_again_gets_another_flow_run_once_the_first_one_is_dead(
    project: Any, registry: Any, prefect: Any, job: str
) -> None:
    typed = ("promote", "triage", "--job", job, "--submit")
    project.command(*typed, PREFECT_API_URL=prefect.url)
    prefect.end(run_of(job), "FAILED")
    said = project.command(*typed, PREFECT_API_URL=prefect.url)
    assert said.code == 0
    assert f"(key {run_of(job)}#2)" in said.out


def test_what_is_over_is_not_said_to_be_submitted(
    project: Any, registry: Any, prefect: Any, job: str
) -> None:
    typed = ("promote", "triage", "--job", job, "--submit")
    assert project.command(*typed, "--json", PREFECT_API_URL=prefect.url).json["submitted"] is True
    prefect.end(run_of(job), "CANCELLED")
    said = project.command(*typed, PREFECT_API_URL=prefect.url)
    assert said.code == 4, "nobody carries it out"
    assert "is cancelled" in said.out and said.out.endswith("; nothing was submitted.\n")
    for state in ("evaluating", "judged", "refused"):
        registry.set_run_state(run_of(job), state)
    said = project.command(*typed, PREFECT_API_URL=prefect.url)
    assert said.code == 0
    assert said.out == f"Run {run_of(job)} is already refused; nothing was submitted.\n"
    as_json = project.command(*typed, "--json", PREFECT_API_URL=prefect.url).json
    assert as_json["submitted"] is False


def test_submitting_says_at_once_and_in_one_sentence_that_prefect_is_down(
    project: Any, registry: Any, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, sent, send = f"{NOBODY}/api", [], httpx.AsyncClient.send

    async def noted(client: httpx.AsyncClient, request: httpx.Request, **more: Any) -> Any:
        sent.append(str(request.url))
        return await send(client, request, **more)

    monkeypatch.setattr(httpx.AsyncClient, "send", noted)
    typed = ("promote", "triage", "--job", job, "--submit")
    said = project.command(*typed, PREFECT_API_URL=address)
    asked = [url for url in sent if url.startswith(NOBODY)]
    assert asked == [f"{address}/admin/version"], "it does not wait for a server to come up"
    assert said.code == 4
    assert f"no Prefect server answers at {address}" in said.err
    assert len(said.err.splitlines()) == 1
    assert registry.runs() == (), "nothing is on record that nobody carries out"


def test_a_promotion_in_this_process_says_so_too(project: Any, registry: Any, job: str) -> None:
    address = f"{NOBODY}/api"
    said = project.command("promote", "triage", "--job", job, PREFECT_API_URL=address)
    assert said.code == 4
    assert f"no Prefect server answers at {address}" in said.err
    assert "bug" not in said.err
    assert registry.runs() == (), "nothing is on record that nobody carries out"


def test_a_prefect_server_that_is_slow_to_answer_is_not_down(
    project: Any, prefect: Any, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = prefect.answer

    def slowly(method: str, path: str, body: Any) -> Any:
        if path.endswith("/admin/version"):
            time.sleep(1.2)
        return answer(method, path, body)

    monkeypatch.setattr(prefect, "answer", slowly)
    monkeypatch.setattr("flows.orchestration.prefect_api._CONNECT_S", 1.0)
    typed = ("promote", "triage", "--job", job, "--submit")
    assert project.command(*typed, PREFECT_API_URL=prefect.url).code == 0


@pytest.mark.parametrize("more", [(), ("--submit",)])
def test_another_server_is_not_taken_for_prefect(
    project: Any, registry: Any, prefect: Any, job: str, more: tuple[str, ...]
) -> None:
    typed = ("promote", "triage", "--job", job, *more)
    said = project.command(*typed, PREFECT_API_URL=f"{prefect.url}/nowhere")
    assert said.code == 4
    assert "is no Prefect server" in said.err
    assert registry.runs() == ()


async def test_a_flow_run_that_begins_while_the_registry_is_away_waits_for_it(
    settings: Any, registry: Any
) -> None:
    path = settings.home / "registry.db"
    registry.close()
    away = path.rename(settings.home / "away.db")
    path.mkdir()
    with pytest.raises(RegistryError):
        await wait_for_registry(settings, patience_s=-1)
    waiting = asyncio.create_task(wait_for_registry(settings))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    path.rmdir()
    away.rename(path)
    await waiting
