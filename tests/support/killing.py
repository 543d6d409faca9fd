"""An installation whose commands, service and worker can be killed: on a Prefect server that stays."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.paths import ROOT, child_environment
from support.prefect_server import running_prefect_server
from support.project import Project
from support.waiting import PATIENCE_S

from flows.deployments.identity import belongs_to, slot_name
from flows.emulator.server import Emulator
from flows.orchestration.prefect_api import PrefectApi
from flows.orchestration.processes import free_port
from flows.platforms.fine_tuning import jobs
from flows.platforms.table import open_platform
from flows.registry.opening import open_registry
from flows.settings import load_settings

__all__ = ["CASES", "CONCURRENCY", "Command", "Place", "running_place"]

CASES, CONCURRENCY = 40, 4
TEAMS = ("billing", "access", "outage")
SYSTEM = "Which team is this for? Answer with one word."
SUITE = {
    "version": 1,
    "name": "teams",
    "prompt": [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "{{ item.text }}"},
    ],
    "graders": [{"name": "team", "type": "label", "labels": sorted(TEAMS)}],
}
GATE = """
version: 1
name: teams
first_release: absolute_checks
early_stop: false
checks:
  - {metric: team.accuracy, at_least: 0.3, max_drop: 0.3}
"""
TARGET = """
version: 1
name: NAME
platform: embedded
suites: [teams]
gate: teams
sampling: {concurrency: CONCURRENCY, max_completion_tokens: 10}
promotion: {smoke_cases: 2}
publish: [{file: {path: live/NAME.json}}, {file: {path: other/NAME.json}}]
"""


class Command:
    """A command in a process group of its own."""

    def __init__(self, log: Path, process: subprocess.Popen[bytes]) -> None:
        self.log, self.pid, self._process = log, process.pid, process

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> bool:
        """Kill it with all it started; False when it was over."""
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.pid).children(recursive=True)
            for one in (*children, psutil.Process(self.pid)):
                with suppress(psutil.NoSuchProcess):
                    one.kill()
        return self.code() == -signal.SIGKILL

    def code(self) -> int:
        return self._process.wait(2 * PATIENCE_S)

    def json(self) -> Any:
        """What it printed, once it has come to a good end."""
        assert self.code() == 0, self.log.read_text()
        return self.says()

    def says(self) -> Any:
        said = self.log.read_text()
        return json.loads(said[said.index("{") :])


class Place:
    """What a person, a supervisor and the clock do with an installation."""

    def __init__(self, project: Project, emulator: Emulator, prefect: str, port: int) -> None:
        self.project, self.emulator, self.prefect, self.port = project, emulator, prefect, port
        self._commands: list[Command] = []
        self._numbers = count(1)
        self._opened, self._of_this_thread = ExitStack(), threading.local()
        self.worker_kills = 0
        self.start_serve()
        self.start_worker()

    def begin(self, *argv: str, module: str = "flows.cli") -> Command:
        log = self.project.folder / f"{next(self._numbers)}-{argv[0]}.log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *argv],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=child_environment(
                    PREFECT_WORKER_QUERY_SECONDS="2", PREFECT_LOGGING_LEVEL="ERROR"
                ),
                cwd=self.project.folder,
                start_new_session=True,
            )
        self._commands.append(Command(log, process))
        return self._commands[-1]

    def start_serve(self) -> None:
        self.serve = self.begin("serve", "--port", str(self.port))

    def start_worker(self) -> None:
        options = ("--pool", "gatewright", "--type", "process")
        self.worker = self.begin("worker", "start", *options, module="prefect")

    def kill_and_restart(self, what: str) -> None:
        getattr(self, what).kill()
        self.worker_kills += what == "worker"
        getattr(self, f"start_{what}")()

    def close(self) -> None:
        for command in self._commands:
            if not command.ended:
                command.kill()
        self._opened.close()

    def until(self, seen: Callable[[], Any], what: str, every_s: float = 0.1) -> Any:
        deadline = time.monotonic() + 3 * PATIENCE_S
        while not (found := seen()):
            assert time.monotonic() < deadline, f"{what} did not happen\n{self.tails()}"
            time.sleep(every_s)
        return found

    def tails(self) -> str:
        logs = (
            self.serve.log,
            self.worker.log,
            *(command.log for command in self._commands[-2:]),
        )
        return "\n".join(f"{log.name}:\n{log.read_text()[-3000:]}" for log in logs if log.exists())

    def fine_tune(self, target: str) -> str:
        return asyncio.run(_fine_tune(f"m{next(self._numbers)}", target))

    def promoted(self, target: str) -> None:
        """Have a model live that nobody disturbed."""
        job = self.fine_tune(target)
        if target == "by-itself":
            run_id = self.run_of(target, job)
            self.until(lambda: self.run(run_id).state == "promoted", f"{run_id} promoted")
        else:
            self.begin("promote", target, "--job", job, "--json").json()

    def registry(self) -> AbstractContextManager[Any]:
        """The registry, which stays open: to open it costs ten times what a look into it does."""
        mine = self._of_this_thread
        if not hasattr(mine, "registry"):
            mine.registry = self._opened.enter_context(open_registry(load_settings()))
        return nullcontext(mine.registry)

    def run(self, run_id: str) -> Any:
        with self.registry() as registry:
            return registry.run(run_id)

    def run_of(self, target: str, job: str) -> str:
        def find() -> str | None:
            with self.registry() as registry:
                runs = registry.runs(target)
            return next((run.run_id for run in runs if run.trigger.get("job_id") == job), None)

        found: str = self.until(find, f"a run of {job}")
        return found

    def leases(self, target: str) -> Any:
        with self.registry() as registry:
            return registry.leases_of(target)

    def published(self, target: str) -> list[Any]:
        """What applications read, in both places."""
        places = (self.project.folder / "live", self.project.folder / "other")
        return [json.loads((place / f"{target}.json").read_text()) for place in places]

    def standing(self, target: str) -> dict[str, str]:
        async def ask() -> dict[str, str]:
            platform = open_platform("embedded", {}, os.environ)
            try:
                found = await platform.list_deployments()
            finally:
                await platform.aclose()
            return {one.name: one.model_id for one in found if belongs_to(one, target)}

        return asyncio.run(ask())

    def asked(self, target: str, run_id: str) -> Counter[str]:
        """How often the run's developer slot was asked each case."""
        slot, found = slot_name(self.run(run_id)), Counter[str]()
        for entry in self.emulator.log:
            if entry.path.endswith("/chat/completions") and slot.encode() in entry.body:
                messages = json.loads(entry.body)["messages"]
                if messages[0]["content"] == SYSTEM:  # else it was asked whether it answers
                    found[messages[-1]["content"]] += 1
        return found


@contextmanager
def running_place(folder: Path) -> Iterator[Place]:
    """Run Prefect, the platform, the service and a worker; two targets, each with two publishers."""
    port, secret = free_port(), "whsec_" + "c2VjcmV0" * 4
    hook = f"http://127.0.0.1:{port}/webhooks/openai"
    with ExitStack() as stack:
        prefect = stack.enter_context(running_prefect_server(folder / "prefect"))
        emulator = stack.enter_context(
            Emulator(
                folder / "emulator",
                webhook_url=hook,
                webhook_secret=secret,
                provisioning_s=0.2,
                latency_ms=[20, 40],
                webhook_retry_s=0.5,
                quota_limits={"OpenAI.FineTuned.Deployments": 1000},
            )
        )
        project = Project(
            folder,
            more={
                "GATEWRIGHT_EMBEDDED_URL": emulator.url,
                "GATEWRIGHT_WEBHOOK_SECRETS": secret,
                "PREFECT_API_URL": prefect,
                "PREFECT_HOME": str(folder / "prefect"),
            },
        )
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in project.environment.items():
            patch.setenv(name, value)
        _write(project)
        asyncio.run(_deploy(prefect))
        place = Place(project, emulator, prefect, port)
        stack.callback(place.close)
        yield place


def _write(project: Project) -> None:
    for target in ("by-hand", "by-itself"):
        text = TARGET.replace("NAME", target).replace("CONCURRENCY", str(CONCURRENCY))
        project.write_target(target, text)
    project.write_gate("teams", GATE)
    cases = [
        {
            "id": f"c{n}",
            "item": {"text": f"{TEAMS[n % 3]} question {n + 100}"},
            "expected": TEAMS[n % 3],
        }
        for n in range(CASES)
    ]
    project.write_suite("teams", SUITE, cases)


async def _deploy(prefect: str) -> None:
    """What `prefect deploy` does for the promotion, without its seconds."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.promotion import promote

    async with PrefectApi(prefect) as api:
        await api.create_process_pool("gatewright")
    # Where Prefect was imported before, it does not look at the environment again.
    with temporary_settings(updates={PREFECT_API_URL: prefect}):
        client = get_client()
    async with client:
        await client.create_deployment(
            await client.create_flow(promote),
            name="promotion",
            entrypoint="flows.promotion.promote",
            work_pool_name="gatewright",
            path=str(ROOT),
        )


async def _fine_tune(name: str, target: str) -> str:
    platform, chance = open_platform("embedded", {}, os.environ), random.Random(name)
    rows = [
        {
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": f"{team} question {chance.randrange(100)}"},
                {"role": "assistant", "content": team},
            ]
        }
        for team in TEAMS * 12
    ]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    # A job whose metadata name a target starts a promotion by its webhook.
    metadata = {"target": target} if target == "by-itself" else {}
    try:
        file = await jobs.upload_file(platform, content, poll_s=0.05)
        job = await jobs.create_job(
            platform,
            model="gpt-4.1-mini-2025-04-14",
            training_file=file,
            suffix=name,
            metadata=metadata,
        )
        return (await jobs.wait_finished(platform, job.id, poll_s=0.1)).id
    finally:
        await platform.aclose()
