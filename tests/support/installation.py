"""A real installation: embedded platform, Prefect server, worker and service as processes, and a small target of its own."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
import pytest
from support.prefect_server import QUIET, make_tables
from support.project import Project
from support.waiting import PATIENCE_S

from flows.demo.servers import EAGER, WORKER, Servers
from flows.orchestration.prefect_api import PrefectApi
from flows.orchestration.processes import Processes, free_port
from flows.platforms.fine_tuning import jobs
from flows.platforms.table import open_platform
from flows.registry.opening import open_registry
from flows.service.own_token import TOKEN_FILE
from flows.settings import Settings, load_settings

TARGET = "intents"
LABELS = {
    "refund": "I want my money back for the {}",
    "delivery": "where is the parcel with the {}",
    "repair": "the {} is broken and needs mending",
}
MOOT = "please look at the {} again, order {}"
"""Nobody can tell what this asks for, so that two models differ in what they guess and no verdict is sure."""
THINGS = ["lamp", "chair", "kettle", "radio", "table", "shelf", "mirror", "carpet", "clock", "vase"]

GATE = """
version: 1
name: intents
first_release: needs_approval
early_stop: false
checks:
  - {metric: intent.accuracy, at_least: 0.3, max_drop: 0.02}
on_inconclusive: needs_approval
approval: {required: 1, not_requester: true, expires_after: 24h}
"""
TARGET_FILE = """
version: 1
name: intents
platform: embedded
suites: [intents]
gate: intents
sampling: {temperature: 0, max_completion_tokens: 20, concurrency: 8}
promotion: {smoke_cases: 2}
publish: [{file: {path: live/intents.json}}]
"""
SUITE = {
    "version": 1,
    "name": TARGET,
    "prompt": [
        {"role": "system", "content": "Name the intent."},
        {"role": "user", "content": "{{ item.text }}"},
    ],
    "graders": [{"name": "intent", "type": "label", "labels": sorted(LABELS)}],
}


class Ports(NamedTuple):
    emulator_port: int
    prefect_port: int
    service_port: int
    webhook_secret: str


class Installation:
    """What a person does with an installation, and what they see of it."""

    def __init__(self, folder: Path, processes: Processes, ports: Ports) -> None:
        self.folder, self.processes, self.ports = folder, processes, ports

    @property
    def settings(self) -> Settings:
        return load_settings()

    @property
    def service(self) -> str:
        return f"http://127.0.0.1:{self.ports.service_port}"

    def fine_tune(self, name: str) -> str:
        """Train a model on the embedded platform; returns the job's id. Every model comes out equally good."""
        return asyncio.run(_fine_tune(name))

    def submit(self, job_id: str, requested_by: str) -> str:
        """Start a promotion on the worker; returns the flow run's id."""

        async def start() -> str:
            async with self.prefect() as api:
                return await api.create_flow_run(
                    "promotion/promotion",
                    {"target": TARGET, "job_id": job_id, "requested_by": requested_by},
                    idempotency_key=f"test:{job_id}",
                )

        return asyncio.run(start())

    def prefect(self) -> PrefectApi:
        return PrefectApi(os.environ["PREFECT_API_URL"])

    def state(self, flow_run: str) -> str:
        async def ask() -> str:
            async with self.prefect() as api:
                return str((await api.flow_run(flow_run))["state_type"])

        return asyncio.run(ask())

    def until(self, seen: Callable[[], Any], what: str) -> Any:
        """Wait for what the worker's processes do: several of them have to start, each for many seconds."""
        deadline = time.monotonic() + 5 * PATIENCE_S
        while time.monotonic() < deadline:
            if found := seen():
                return found
            time.sleep(0.3)
        raise AssertionError(f"{what} did not happen\n{self.processes.tail('worker', 60)}")

    def until_state(self, flow_run: str, state: str) -> None:
        self.until(lambda: self.state(flow_run) == state, f"{flow_run} {state}")

    def resume(self, flow_run: str, **answer: str) -> dict[str, Any]:
        """Answer as Prefect's own page does."""
        url = f"{os.environ['PREFECT_API_URL']}/flow_runs/{flow_run}/resume"
        for _ in range(20):
            answered = httpx.post(url, json={"run_input": answer}, timeout=60)
            if answered.is_success:
                return answered.json()  # type: ignore[no-any-return]
            time.sleep(0.5)
        raise AssertionError(answered.text)

    def answer_on_page(self, run_id: str, decision: str) -> None:
        """Answer as who holds the service's token does."""
        page = f"{self.service}/runs/{run_id}"
        token = (self.settings.home / TOKEN_FILE).read_text().strip()
        headers = {
            "authorization": f"Bearer {token}",
            "origin": self.service,
            "sec-fetch-site": "same-origin",
        }
        with httpx.Client(headers=headers, timeout=60) as browser:
            shown = browser.get(page).text
            hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown)
            form = {**dict(hidden), "decision": decision, "reason": "read the report on the page"}
            answered = browser.post(f"{page}/answer", data=form)
        assert answered.status_code == 303, answered.text

    @contextmanager
    def registry(self) -> Iterator[Any]:
        with open_registry(self.settings) as registry:
            yield registry

    def run_of(self, job_id: str) -> Any:
        """The newest run of a job."""
        with self.registry() as registry:
            return next(r for r in registry.runs(TARGET) if r.trigger.get("job_id") == job_id)

    def run(self, run_id: str) -> Any:
        with self.registry() as registry:
            return registry.run(run_id)

    def live(self) -> Any:
        with self.registry() as registry:
            return registry.live(TARGET)

    def flow_runs_of_answers(self) -> list[str]:
        """Keys of flow runs that were started because of an answer, rather than resumed by it."""
        url = f"{os.environ['PREFECT_API_URL']}/flow_runs/filter"
        keys = [str(run["idempotency_key"]) for run in httpx.post(url, json={}, timeout=60).json()]
        return [key for key in keys if ":answer:" in key]

    def processes_of(self, flow_run: str) -> list[psutil.Process]:
        """Processes that carry out a flow run now."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("PREFECT__FLOW_RUN_ID", "").replace("-", "") == (
                    flow_run.replace("-", "")
                ):
                    found.append(process)
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
        return found

    def restart_worker(self) -> None:
        """Kill the worker without warning, and start another one."""
        worker = self.processes.running("worker")
        worker.kill()
        worker.wait(10)
        self.start_worker()

    def start_worker(self) -> None:
        self.processes.start("worker", WORKER, environment=EAGER)


@contextmanager
def running_installation(folder: Path) -> Iterator[Installation]:
    """Start the four servers for a new project; the environment points at them until they are stopped."""
    ports = Ports(free_port(), free_port(), free_port(), "whsec_" + "c2VjcmV0" * 4)
    project = Project(
        folder,
        actor="ben",
        more={
            "GATEWRIGHT_EMBEDDED_URL": f"http://127.0.0.1:{ports.emulator_port}",
            "GATEWRIGHT_WEBHOOK_SECRETS": ports.webhook_secret,
            "PREFECT_API_URL": f"http://127.0.0.1:{ports.prefect_port}/api",
            "PREFECT_HOME": str(folder / "prefect"),
            **QUIET,
        },
    )
    project.write_target(TARGET, TARGET_FILE)
    project.write_gate(TARGET, GATE)
    project.write_suite(TARGET, SUITE, _cases())
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("PREFECT_", "GATEWRIGHT_"))]:
            patch.delenv(name)
        for name, value in project.environment.items():
            patch.setenv(name, value)
        make_tables(folder / "prefect")
        processes = Processes(folder / "servers")
        try:
            for _words, start in Servers(processes, {}, project.home, ports).steps():
                start()
            yield Installation(folder, processes, ports)
        finally:
            processes.stop()


def _cases() -> list[dict[str, Any]]:
    chance = random.Random(7)
    clear = [(said.format(thing), label) for label, said in LABELS.items() for thing in THINGS * 3]
    moot = [
        (MOOT.format(chance.choice(THINGS), number), chance.choice(list(LABELS)))
        for number in range(70)
    ]
    return [
        {"id": f"c{number}", "item": {"text": f"{text} ({number})"}, "expected": label}
        for number, (text, label) in enumerate([*clear, *moot])
    ]


async def _fine_tune(name: str) -> str:
    platform = open_platform("embedded", {}, os.environ)
    chance = random.Random(name)
    said = [(text.format(chance.choice(THINGS)), label) for label, text in LABELS.items()] * 20
    said += [
        (MOOT.format(chance.choice(THINGS), chance.randrange(70)), chance.choice(list(LABELS)))
        for _ in range(60)
    ]
    examples = [
        {
            "messages": [
                {"role": "system", "content": "Name the intent."},
                {"role": "user", "content": text},
                {"role": "assistant", "content": label},
            ]
        }
        for text, label in said
    ]
    content = "".join(json.dumps(example) + "\n" for example in examples).encode()
    try:
        file = await jobs.upload_file(platform, content, poll_s=0.1)
        job = await jobs.create_job(
            platform, model="gpt-4.1-mini-2025-04-14", training_file=file, suffix=name, seed=1
        )
        job = await jobs.wait_finished(platform, job.id, poll_s=0.2)
    finally:
        await platform.aclose()
    assert job.succeeded, job.error
    return job.id
