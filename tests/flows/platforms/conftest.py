"""A tiny scripted HTTP server and the emulator, both on loopback, and platforms pointed at them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from flows.platforms.azure.arm.transport import ArmClient
from flows.platforms.azure.azure_openai import AzureOpenAIPlatform
from flows.platforms.azure.credentials import FixedToken
from flows.platforms.azure.options import read_options
from flows.platforms.deadlines import PollingPace
from flows.platforms.embedded import EmbeddedPlatform, open_embedded
from flows.platforms.fine_tuning import jobs
from flows.platforms.fine_tuning.records import Job, JobCheckpoint

if TYPE_CHECKING:
    from flows.emulator.server import Emulator

QUICK = PollingPace(
    request=5.0,
    poll=0.01,
    probe=0.01,
    deploy=4.0,
    delete=4.0,
    ready=4.0,
    attempts=4,
    first_pause=0.01,
)
OPTIONS = {"subscription": "sub-1", "resource_group": "acme-ai", "account": "acme-swc"}
ACCOUNT = "/subscriptions/sub-1/resourceGroups/acme-ai/providers/Microsoft.CognitiveServices/accounts/acme-swc"
TUNED = "gpt-4.1-mini-2025-04-14.ft-" + "5d1e" * 8
OTHER = "gpt-4.1-mini-2025-04-14.ft-" + "ab12" * 8


@dataclass
class Seen:
    """One request as the server got it."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any


Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]


@dataclass
class Scripted:
    """Answers by 'METHOD /path' from lists of replies; the last one repeats. A callable is asked each time."""

    url: str = ""
    replies: dict[str, list[Any]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def on(self, what: str, *replies: Reply | Callable[[Seen], Reply]) -> None:
        self.replies[what] = list(replies)

    def asked(self, what: str) -> list[Seen]:
        return [one for one in self.seen if f"{one.method} {one.path}" == what]

    async def handle(self, request: web.Request) -> web.Response:
        raw = await request.read()
        body = json.loads(raw) if raw and b"multipart" not in raw[:40] and raw[:1] in b"{[" else raw
        seen = Seen(request.method, request.path, dict(request.query), request.headers.copy(), body)
        self.seen.append(seen)
        script = self.replies.get(f"{request.method} {request.path}")
        if script is None:
            return web.json_response(
                {"error": {"code": "ResourceNotFound", "message": "none"}}, status=404
            )
        reply = script[0] if len(script) == 1 else script.pop(0)
        status, content, *more = reply(seen) if callable(reply) else reply
        if status == 0:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        headers = {
            key: value.replace("{url}", self.url)
            for key, value in (more[0] if more else {}).items()
        }
        text = None if content is None else json.dumps(content).replace("{url}", self.url)
        return web.Response(
            status=status, text=text, content_type="application/json", headers=headers
        )


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    script = Scripted()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", script.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    script.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield script
    await runner.cleanup()


@pytest.fixture
async def arm(server: Scripted) -> AsyncIterator[ArmClient]:
    client = ArmClient(FixedToken("arm-1"), base_url=server.url, pace=QUICK)
    yield client
    await client.aclose()


@pytest.fixture(name="shown")
def shown_fixture() -> Callable[..., dict[str, Any]]:
    return shown


@pytest.fixture(name="azure_at")
def azure_at_fixture() -> Callable[..., AzureOpenAIPlatform]:
    return azure_at


@pytest.fixture
async def azure(server: Scripted) -> AsyncIterator[AzureOpenAIPlatform]:
    platform = azure_at(server.url)
    yield platform
    await platform.aclose()


def azure_at(url: str, env: Mapping[str, str] | None = None, **options: Any) -> AzureOpenAIPlatform:
    given = {**OPTIONS, "endpoint": url, "arm_endpoint": url, **options}
    credentials = {"GATEWRIGHT_ARM_TOKEN": "arm-1", "AZURE_OPENAI_API_KEY": "key-1", **(env or {})}
    return AzureOpenAIPlatform(read_options(given), credentials, pace=QUICK)


def shown(
    name: str = "cand-1",
    model: str = TUNED,
    state: str = "Succeeded",
    sku: str = "DeveloperTier",
    capacity: int = 100,
    tags: Mapping[str, str] | None = None,
    version: str = "1",
) -> dict[str, Any]:
    """A deployment as the control plane writes it, ours unless `tags` says otherwise."""
    return {
        "id": f"{ACCOUNT}/deployments/{name}",
        "name": name,
        "type": "Microsoft.CognitiveServices/accounts/deployments",
        "etag": '"1"',
        "sku": {"name": sku, "capacity": capacity},
        "tags": {"gatewright": "developer"} if tags is None else dict(tags),
        "systemData": {"createdAt": "2026-11-20T09:00:00Z"},
        "properties": {
            "model": {"format": "OpenAI", "name": model, "version": version},
            "currentCapacity": capacity,
            "provisioningState": state,
        },
    }


@dataclass(frozen=True)
class Trained:
    """Two finished fine-tunes of the emulator, and the checkpoints of the first."""

    first: Job
    second: Job
    checkpoints: tuple[JobCheckpoint, ...]


def training_lines() -> bytes:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"{word} question number {i}, please help"},
                {"role": "assistant", "content": word},
            ]
        }
        for i in range(12)
        for word in ("billing", "login", "shipping")
    ]
    return "\n".join(json.dumps(row) for row in rows).encode()


@pytest.fixture(name="training_lines")
def training_lines_fixture() -> bytes:
    return training_lines()


async def train(platform: Any, suffix: str, data: bytes | None = None) -> Job:
    file = await jobs.upload_file(platform, data or training_lines(), poll_s=0.02)
    job = await jobs.create_job(
        platform, model="gpt-4.1-mini-2025-04-14", training_file=file, suffix=suffix
    )
    return await jobs.wait_finished(platform, job.id, poll_s=0.05, timeout_s=30)


async def _train_both(url: str) -> Trained:
    platform = embedded_at(url)
    first, second = await train(platform, "one"), await train(platform, "two")
    found = await jobs.checkpoints(platform, first.id)
    await platform.aclose()
    return Trained(first, second, found)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, Trained]]:
    from flows.emulator.server import Emulator

    folder: Path = tmp_path_factory.mktemp("emulator")
    with Emulator(folder) as emulator, ThreadPoolExecutor(1) as thread:
        trained = thread.submit(lambda: asyncio.run(_train_both(emulator.url))).result()
        yield emulator, trained


FAST = {
    "provisioning_s": 0.03,
    "deleting_s": 0.02,
    "dataplane_lag_s": 0.0,
    "arm_retry_after_s": 0,
    "quota_release_s": 0.0,
}


@pytest.fixture
def emulator(running: tuple[Emulator, Trained]) -> Iterator[Emulator]:
    """The emulator with nothing deployed and the switches at their defaults, but quick."""
    from flows.emulator.state.documents import Deployment, Tombstone
    from flows.emulator.switches import Switches

    shared = running[0]
    shared.switches = Switches()
    shared.set(**FAST)
    yield shared
    for kind in (Deployment, Tombstone):
        for one in shared.state.store.all(kind):
            shared.state.store.delete(kind, one.id)
    shared.switches = Switches()


@pytest.fixture
def models(running: tuple[Emulator, Trained]) -> Trained:
    return running[1]


@pytest.fixture
async def embedded(emulator: Emulator) -> AsyncIterator[Any]:
    platform = embedded_at(emulator.url)
    yield platform
    await platform.aclose()


def embedded_at(url: str, env: Mapping[str, str] | None = None, **options: Any) -> EmbeddedPlatform:
    """The embedded platform in a hurry."""
    return open_embedded(
        options,
        {"GATEWRIGHT_EMBEDDED_URL": url, **(env or {})},
        pace=replace(QUICK, ready=8, deploy=8),
    )


@pytest.fixture(name="embedded_at")
def embedded_at_fixture() -> Callable[..., EmbeddedPlatform]:
    return embedded_at
