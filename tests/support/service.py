"""A running service with a real registry behind it, what tests say to it, and the embedded platform for its jobs."""

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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from sqlalchemy import select
from support.waiting import PATIENCE_S, wait_until

from flows.emulator.server import Emulator
from flows.platforms.fine_tuning import jobs
from flows.platforms.fine_tuning.records import Job
from flows.platforms.table import open_platform
from flows.registry.database.schema import inbox
from flows.registry.store import Registry
from flows.service.app import build_app, server_config
from flows.service.config import ServiceConfig
from flows.service.dispatcher.timing import Timing
from flows.settings import Settings

SECRET = "whsec_" + base64.b64encode(b"a secret that only tests know....").decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"a secret that nobody knows......").decode()
TOKEN = "a token that only tests know"
QUICK = Timing(look=0.05, first=0.05, longest=0.2, stuck=0.4)


# ---- the platform


@dataclass
class Platform:
    """The embedded platform and what a test does with it."""

    emulator: Emulator
    files: dict[str, str] = field(default_factory=dict)
    finished: dict[str, Job] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.emulator.url

    def fine_tune(self, metadata: dict[str, str], suffix: str = "v1", wait: bool = True) -> Job:
        """Return a job with this metadata: one that is there already, where its end is waited for."""
        key = json.dumps([metadata, suffix], sort_keys=True)
        if not wait:
            return asyncio.run(self._fine_tune(metadata, suffix, wait))
        if key not in self.finished:
            self.finished[key] = asyncio.run(self._fine_tune(metadata, suffix, wait))
        return self.finished[key]

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
    token: str = ""

    def post(self, job_id: str, message_id: str = "wh_1", **options: Any) -> httpx.Response:
        kind = options.pop("kind", "fine_tuning.job.succeeded")
        body = event(job_id, kind)
        headers = signed(body, message_id, **options)
        return httpx.post(
            f"{self.url}/webhooks/openai", content=body, headers=headers, timeout=PATIENCE_S
        )

    def tried(self, message_id: str, times: int) -> str:
        """Wait until a message was tried in vain so many times and return what was said last."""

        def said() -> str | None:
            found = self.message(message_id)
            return found[1] if found is not None and found[2] >= times else None

        return wait_until(said, f"that {message_id} is tried {times} times")

    def get(self, path: str, **options: Any) -> httpx.Response:
        options["headers"] = {**self.shown, **options.get("headers", {})}
        return httpx.get(self.url + path, **{"timeout": PATIENCE_S, **options})

    @property
    def shown(self) -> dict[str, str]:
        """What a person who holds the service's token sends."""
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def delivered(self) -> tuple[str, ...]:
        """Ids of all messages that were ever kept, oldest first."""
        with self.registry.database.read() as connection:
            return tuple(
                connection.execute(select(inbox.c.message_id).order_by(inbox.c.seq)).scalars()
            )

    def outcome(self, message_id: str) -> str:
        """Wait until the message is dealt with and return what was said of it."""

        def said() -> str | None:
            found = self.message(message_id)
            return found[1] if found is not None and found[0] == "done" else None

        return wait_until(said, f"that {message_id} is dealt with")

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
    running = server_config(build_app(settings, config, QUICK))
    running.timeout_graceful_shutdown = 1
    server = uvicorn.Server(running)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        listener.close()


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
        deadline = time.monotonic() + PATIENCE_S
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
            process.wait(PATIENCE_S)
        if process.stderr:
            process.stderr.close()
