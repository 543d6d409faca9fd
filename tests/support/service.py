"""A service on loopback with a real registry, the embedded platform for jobs, and a stand-in for Prefect's REST API."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from sqlalchemy import select

from evals.gate.policy import load_policy
from evals.records import CheckResult, Endpoint, Verdict
from flows.emulator.server import Emulator
from flows.platforms.fine_tuning import jobs
from flows.platforms.fine_tuning.records import Job
from flows.platforms.table import open_platform
from flows.registry.database.schema import inbox
from flows.registry.records import NewPointer, RunRecord
from flows.registry.store import Registry
from flows.service.app import build_app
from flows.service.config import ServiceConfig
from flows.service.dispatcher.timing import Timing
from flows.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]
SECRET = "whsec_" + base64.b64encode(b"a secret that only tests know....").decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"a secret that nobody knows......").decode()
QUICK = Timing(look=0.05, first=0.05, longest=0.2, stuck=0.4, silence=1.0)

TARGET = """\
version: 1
name: {name}
platform: embedded
suites: [support-triage]
gate: triage
watch: {{metadata: {{target: {name}}}}}
"""
GATE = """\
version: 1
name: triage
first_release: needs_approval
checks:
  - {metric: exact_match, at_least: 0.5}
on_inconclusive: needs_approval
approval: {required: 1, not_requester: true, expires_after: 24h}
override: {approvers: 2, expires_after: 7d}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation of its own with one target, `triage`."""
    targets, gates = tmp_path / "targets", tmp_path / "gates"
    targets.mkdir()
    gates.mkdir()
    (targets / "triage.yaml").write_text(TARGET.format(name="triage"))
    (gates / "triage.yaml").write_text(GATE)
    home = tmp_path / "home"
    return Settings(
        home=home,
        registry_url=f"sqlite:///{home / 'registry.db'}",
        targets=targets,
        gates=gates,
        datasets=PROJECT / "datasets",
        actor="ana",
    )


@pytest.fixture
def add_target(settings: Settings) -> Callable[[str], None]:
    def add(name: str) -> None:
        (settings.targets / f"{name}.yaml").write_text(TARGET.format(name=name))

    return add


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    settings.home.mkdir(exist_ok=True)
    with Registry.open(settings.registry_url) as opened:
        yield opened


# ---- Prefect


@dataclass
class PrefectStandIn:
    """The few REST calls of a Prefect server that starting needs, with its rule for idempotency keys."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    holders: dict[str, int] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    resumed: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    down: bool = False
    deployed: bool = True
    url: str = ""
    server: ThreadingHTTPServer | None = None

    def by_key(self, key: str) -> dict[str, Any]:
        return next(run for run in self.runs.values() if run["idempotency_key"] == key)

    def end(self, key: str, state: str, ago_s: float = 0.0) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago_s))
        self.by_key(key).update(state_type=state, start_time=moment, expected_start_time=moment)

    def suspended(self, state: str = "PAUSED") -> str:
        """Have a flow run that a person's word is waited for in; returns its id."""
        flow_run = str(uuid.uuid4())
        self.runs[flow_run] = {"id": flow_run, "idempotency_key": flow_run, "state_type": state}
        return flow_run

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if self.down:
            return 503, {"detail": "database is locked"}
        parts = path.removeprefix("/api/").split("/")
        if parts[:2] == ["deployments", "name"]:
            return (200, {"id": "dep-1"}) if self.deployed else (404, {"detail": "none"})
        if parts[0] == "deployments" and parts[-1] == "create_flow_run":
            return self._create(body)
        if parts[0] == "flow_runs" and parts[-1] == "resume":
            return self._resume(parts[1], body["run_input"])
        if parts[0] == "flow_runs" and parts[-1] == "set_state":
            self.closed.append(parts[1])
            self.runs[parts[1]]["state_type"] = body["state"]["type"]
            return 201, {"status": "ACCEPT"}
        if parts[0] == "flow_runs" and parts[-1] in self.runs:
            return 200, self.runs[parts[1]]
        if parts[:2] == ["v2", "concurrency_limits"] and parts[2] in self.holders:
            return 200, {"active_slots": self.holders[parts[2]]}
        return 404, {"detail": "Not found"}

    def _resume(self, flow_run: str, given: dict[str, Any]) -> tuple[int, Any]:
        if flow_run not in self.runs:
            return 500, {"exception_message": "Internal Server Error"}
        if self.runs[flow_run]["state_type"] != "PAUSED":
            return 200, {"status": "ABORT", "details": {"reason": "it is not paused"}}
        self.resumed.append((flow_run, given))
        self.runs[flow_run]["state_type"] = "SCHEDULED"
        return 201, {"status": "ACCEPT"}

    def _create(self, body: Any) -> tuple[int, Any]:
        key = body["idempotency_key"]
        self.keys.append(key)
        known = [run for run in self.runs.values() if run["idempotency_key"] == key]
        if known:
            return 200, known[0]
        run = {
            "id": str(uuid.uuid4()),
            "state_type": "SCHEDULED",
            "start_time": None,
            "expected_start_time": None,
            **body,
        }
        self.runs[run["id"]] = run
        return 201, run


@pytest.fixture
def prefect() -> Iterator[PrefectStandIn]:
    stand_in = PrefectStandIn()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            status, content = stand_in.answer(self.command, self.path, body)
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _handle

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_port}/api"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield stand_in
        server.shutdown()
        thread.join()


# ---- the platform


@dataclass
class Platform:
    """The embedded platform and what a test does with it."""

    emulator: Emulator
    files: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.emulator.url

    def fine_tune(self, metadata: dict[str, str], suffix: str = "v1", wait: bool = True) -> Job:
        return asyncio.run(self._fine_tune(metadata, suffix, wait))

    async def _fine_tune(self, metadata: dict[str, str], suffix: str, wait: bool) -> Job:
        platform = open_platform("embedded", {}, os.environ)
        try:
            if "file" not in self.files:
                self.files["file"] = await jobs.upload_file(platform, _examples(), poll_s=0.05)
            job = await jobs.create_job(
                platform,
                model="gpt-4.1-mini-2025-04-14",
                training_file=self.files["file"],
                suffix=suffix,
                metadata=metadata,
            )
            return await jobs.wait_finished(platform, job.id, poll_s=0.05) if wait else job
        finally:
            await platform.aclose()


def _examples() -> bytes:
    lines = []
    for number in range(20):
        label = ("low", "high")[number % 2]
        said = [
            {"role": "user", "content": f"ticket {number}: {('thanks', 'broken')[number % 2]}"},
            {"role": "assistant", "content": json.dumps({"urgency": label})},
        ]
        lines.append(json.dumps({"messages": said}))
    return "\n".join(lines).encode()


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    with Emulator(tmp_path / "emulator", provisioning_s=0.05) as emulator:
        monkeypatch.setenv("GATEWRIGHT_EMBEDDED_URL", emulator.url)
        yield Platform(emulator)


# ---- the service


def signed(
    body: bytes, message_id: str, secret: str = SECRET, at: float | None = None
) -> dict[str, str]:
    """Headers of a delivery as Standard Webhooks has them; written here once more, apart from the product."""
    stamp = str(int(at if at is not None else time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        "content-type": "application/json",
    }


def event(job_id: str, kind: str = "fine_tuning.job.succeeded") -> bytes:
    return json.dumps(
        {"object": "event", "id": "evt_1", "type": kind, "created_at": 1, "data": {"id": job_id}}
    ).encode()


@dataclass
class Service:
    """A running service and how tests speak to it."""

    url: str
    registry: Registry

    def post(self, job_id: str, message_id: str = "wh_1", **options: Any) -> httpx.Response:
        kind = options.pop("kind", "fine_tuning.job.succeeded")
        body = event(job_id, kind)
        headers = signed(body, message_id, **options)
        return httpx.post(f"{self.url}/webhooks/openai", content=body, headers=headers)

    def tried(self, message_id: str, times: int, patience_s: float = 10.0) -> str:
        """Wait until a message was tried in vain so many times and return what was said last."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            found = self.message(message_id)
            if found is not None and found[2] >= times:
                return found[1]
            time.sleep(0.02)
        raise AssertionError(
            f"{message_id} was not tried {times} times: {self.message(message_id)}"
        )

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=20, **options)

    def delivered(self) -> tuple[str, ...]:
        """Ids of all messages that were ever kept, oldest first."""
        with self.registry.database.read() as connection:
            return tuple(
                connection.execute(select(inbox.c.message_id).order_by(inbox.c.seq)).scalars()
            )

    def outcome(self, message_id: str, patience_s: float = 10.0) -> str:
        """Wait until the message is dealt with and return what was said of it."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            found = self.message(message_id)
            if found is not None and found[0] == "done":
                return found[1]
            time.sleep(0.02)
        raise AssertionError(f"{message_id} was not dealt with: {self.message(message_id)}")

    def message(self, message_id: str) -> tuple[str, str, int] | None:
        with self.registry.database.read() as connection:
            query = select(inbox.c.state, inbox.c.outcome, inbox.c.attempts)
            row = connection.execute(query.where(inbox.c.message_id == message_id)).first()
        return (row[0], row[1], row[2]) if row else None


@contextmanager
def in_thread(settings: Settings, config: ServiceConfig) -> Iterator[str]:
    """Run the service in a thread on a free port and yield its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            build_app(settings, config, QUICK),
            log_level="critical",
            access_log=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(name="signed")
def signed_fixture() -> Callable[..., dict[str, str]]:
    return signed


@pytest.fixture(name="event")
def event_fixture() -> Callable[..., bytes]:
    return event


@pytest.fixture(name="in_thread")
def in_thread_fixture() -> Callable[..., Any]:
    return in_thread


@pytest.fixture(name="as_process")
def as_process_fixture() -> Callable[..., Any]:
    return as_process


@pytest.fixture
def secrets() -> tuple[str, str]:
    """Ours, and one that is not."""
    return SECRET, OTHER_SECRET


@pytest.fixture
def config(prefect: PrefectStandIn) -> ServiceConfig:
    return ServiceConfig(webhook_secrets=(SECRET,), prefect_url=prefect.url)


@pytest.fixture
def service(settings: Settings, config: ServiceConfig, registry: Registry) -> Iterator[Service]:
    with in_thread(settings, config) as url:
        yield Service(url, registry)


@contextmanager
def as_process(settings: Settings, port: int, prefect_url: str, **more: str) -> Iterator[Any]:
    """Run `gatewright serve` as a process of its own; yields it once it answers."""
    environment = {
        **os.environ,
        "GATEWRIGHT_HOME": str(settings.home),
        "GATEWRIGHT_TARGETS": str(settings.targets),
        "GATEWRIGHT_GATES": str(settings.gates),
        "GATEWRIGHT_DATASETS": str(settings.datasets),
        "GATEWRIGHT_ACTOR": settings.actor,
        "GATEWRIGHT_WEBHOOK_SECRETS": SECRET,
        "PREFECT_API_URL": prefect_url,
        **more,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "serve", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2).is_success:
                    break
            time.sleep(0.05)
        assert process.poll() is None, process.stderr and process.stderr.read()
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(15)
        if process.stderr:
            process.stderr.close()


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


# ---- stories


@dataclass
class Story:
    """What happened to a target before a test begins."""

    registry: Registry
    settings: Settings

    def live(self, model: str, target: str = "triage") -> None:
        """Make a model live on a person's word."""
        endpoint = Endpoint(
            base_url="http://127.0.0.1:1/v1", model=model, model_id=model, slot="production"
        )
        self.registry.switch(
            NewPointer(target=target, model_id=model, platform="embedded", endpoint=endpoint),
            expected_generation=self.registry.generation(target),
            actor="ana",
            reason="adopted",
            kind="adopt",
        )

    def judged(
        self,
        outcome: str,
        *,
        run_id: str = "triage-1",
        model: str = "model-2",
        requested_by: str = "webhook",
        state: str = "waiting",
        reason: str = "0.61 [0.42, 0.78] is not surely above 0.5",
        overridable: bool = True,
        also: tuple[CheckResult, ...] = (),
    ) -> RunRecord:
        """A promotion run that was judged against what is live."""
        registry, live = self.registry, self.registry.live("triage")
        registry.start_run(
            RunRecord(
                run_id=run_id,
                target="triage",
                kind="promotion",
                requested_by=requested_by,
                trigger={"job_id": f"ftjob-{run_id}"},
                candidate_model=model,
                baseline_model=live.model_id if live else None,
                baseline_generation=registry.generation("triage"),
                policy="triage",
            )
        )
        verdict = self.verdict(outcome, model, reason, overridable)
        verdict = msgspec.structs.replace(verdict, checks=(*verdict.checks, *also))
        registry.save_verdict(run_id, verdict)
        registry.set_run_state(run_id, state, reason)  # type: ignore[arg-type]
        found = registry.run(run_id)
        assert found is not None
        return found

    def verdict(self, outcome: str, model: str, reason: str, overridable: bool = True) -> Verdict:
        live = self.registry.live("triage")
        check = CheckResult(
            check="exact_match at_least 0.5",
            metric="exact_match",
            kind="at_least",
            threshold=0.5,
            outcome=outcome,  # type: ignore[arg-type]
            reason=reason,
            decides=True,
            suite="support-triage",
            slice={},
            n=120,
            candidate=0.61,
            lower=0.42,
            upper=0.78,
            overridable=overridable,
        )
        return Verdict(
            outcome=outcome,  # type: ignore[arg-type]
            reasons=(reason,),
            checks=(check,),
            policy="triage",
            policy_digest=load_policy(self.settings.gates / "triage.yaml").digest,
            evidence_digest=f"sha256:evidence-of-{model}",
            candidate_model=model,
            baseline_model=live.model_id if live else None,
            first_release=live is None,
        )


@pytest.fixture
def story(registry: Registry, settings: Settings) -> Story:
    return Story(registry, settings)
