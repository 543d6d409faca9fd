"""Shared parts: a running emulator, a small training file, a receiver of webhooks, callers of each plane."""

from __future__ import annotations

import json
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import DefaultHttpxClient, OpenAI
from support.emulator import LIVING

from flows.emulator.fine_tuning.training import train_to_disk
from flows.emulator.fine_tuning.training_files import read_examples
from flows.emulator.server import Emulator
from flows.emulator.state.documents import TunedModel

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
PROMPT = "Triage the ticket. Answer with a JSON object: urgency, category."
FAST = {
    "provisioning_s": 0.0,
    "deleting_s": 0.0,
    "update_s": 0.0,
    "dataplane_lag_s": 0.0,
    "file_processing_s": 0.0,
    "pending_s": 0.0,
    "validating_s": 0.0,
    "queued_s": 0.0,
    "running_s": 0.0,
    "latency_ms": [0, 0],
    "webhook_retry_s": 0.05,
    "model_dates": LIVING,
}
_TICKETS = [
    ("the invoice was paid twice, please refund", "high", "billing"),
    ("why is my invoice higher this month", "normal", "billing"),
    ("send the invoice again please", "low", "billing"),
    ("the card for my invoice expired", "normal", "billing"),
    ("the export button crashes the app", "high", "bug"),
    ("app crashes when I open the export", "high", "bug"),
    ("typo on the export page of the app", "low", "bug"),
    ("the app shows a wrong total in the export", "normal", "bug"),
    ("where can I change my language", "low", "how_to"),
    ("how do I change the logo", "low", "how_to"),
    ("how do I add a colleague, where is it", "normal", "how_to"),
    ("where do I find the tutorial, how to start", "low", "how_to"),
]


def training_lines(tickets: list[tuple[str, str, str]] | None = None) -> bytes:
    """Chat-format JSON lines of the small tickets above (or of others)."""
    rows = []
    for text, urgency, category in tickets or _TICKETS:
        answer = json.dumps({"urgency": urgency, "category": category})
        messages = [("system", PROMPT), ("user", text), ("assistant", answer)]
        rows.append(json.dumps({"messages": [{"role": r, "content": c} for r, c in messages]}))
    return "\n".join(rows).encode()


@dataclass
class Plane:
    """The control plane as a test sees it: short calls on the default (or another) account."""

    url: str
    token: str = "embedded-arm-token"
    subscription: str = SUBSCRIPTION
    group: str = "embedded"
    account: str = "embedded"
    version: str = "2025-06-01"
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=900, verify=False))

    @property
    def account_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.CognitiveServices/accounts/{self.account}"
        )

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        params = {"api-version": self.version, **more.pop("params", {})}
        base = self.url if path.startswith("/subscriptions") else self.url + self.account_id
        return self.client.request(method, base + path, headers=headers, params=params, **more)

    def put(
        self, name: str, model: str, sku: str = "DeveloperTier", capacity: int = 10, **more: Any
    ) -> httpx.Response:
        headers = more.pop("headers", {})
        version = more.pop("version", "1" if ".ft-" in model or model.startswith("ft") else None)
        tags = more.pop("tags", {})
        wish = {"format": "OpenAI", "name": model, "version": version, **more}
        body = {
            "sku": {"name": sku, "capacity": capacity},
            "tags": tags,
            "properties": {"model": wish},
        }
        return self.call("PUT", f"/deployments/{name}", json=body, headers=headers)

    def get(self, name: str) -> httpx.Response:
        return self.call("GET", f"/deployments/{name}")

    def delete(self, name: str) -> httpx.Response:
        return self.call("DELETE", f"/deployments/{name}")


class Receiver:
    """A receiver of webhooks on loopback that remembers what came and answers what it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def wait(self, count: int, timeout: float = 900.0) -> list[tuple[dict[str, str], bytes]]:
        wait_until(lambda: len(self.got) >= count, timeout)
        return self.got

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def wait_until(condition: Callable[[], Any], timeout: float = 900.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@dataclass
class Workshop:
    """Everything a test needs around one emulator."""

    emulator: Emulator
    weights: Path
    opened: list[Any] = field(default_factory=list)

    wait_until = staticmethod(wait_until)
    training_lines = staticmethod(training_lines)

    @property
    def url(self) -> str:
        return self.emulator.url

    def plane(self, **more: Any) -> Any:
        return self.keep(Plane(self.url, **more), "client")

    def keep(self, thing: Any, part: str | None = None) -> Any:
        """Have something closed at the end of the test."""
        self.opened.append(getattr(thing, part) if part else thing)
        return thing

    def close(self) -> None:
        for thing in self.opened:
            thing.close()

    def client(
        self, path: str = "/openai/v1", key: str = "embedded-api-key", **more: Any
    ) -> OpenAI:
        plain = DefaultHttpxClient(verify=False)  # loading certificates takes a while
        wish = {"base_url": self.url + path, "api_key": key, "max_retries": 0, **more}
        client: OpenAI = self.keep(OpenAI(**wish, http_client=plain))
        return client

    def tuned(self, suffix: str = "", account: str = "embedded") -> str:
        """Plant a finished fine-tuned model, which is quicker than training one; return its id."""
        state, number = self.emulator.state, secrets.token_hex(16)
        base = "gpt-4.1-mini-2025-04-14"
        key = f"{base}.ft-{number}" + (f"-{suffix}" if suffix else "")
        artifact = f"{number}.joblib"
        state.model_cache.folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.weights, state.model_cache.folder / artifact)
        model = TunedModel(
            id=key, account=account, flavour="azure", base=base, job=f"ftjob-{number}",
            artifact=artifact, created_at=state.clock.now(),
        )  # fmt: skip
        state.store.put(model)
        return key

    def fine_tune(
        self, client: OpenAI | None = None, data: bytes | None = None, **more: Any
    ) -> str:
        """Train a small model and return its id."""
        client = client or self.client()
        job = self.start_job(client, data, **more)
        wait_until(lambda: client.fine_tuning.jobs.retrieve(job).status in ("succeeded", "failed"))
        model = client.fine_tuning.jobs.retrieve(job).fine_tuned_model
        assert model is not None
        return model

    def start_job(self, client: OpenAI, data: bytes | None = None, **more: Any) -> str:
        upload = client.files.create(
            file=("train.jsonl", data or training_lines()), purpose="fine-tune"
        )
        wish = {"model": "gpt-4.1-mini", "seed": 7, **more}
        return client.fine_tuning.jobs.create(training_file=upload.id, **wish).id

    def ask(self, deployment: str, text: str = "the invoice again", **more: Any) -> httpx.Response:
        body = {
            "model": deployment,
            "messages": [{"role": "system", "content": PROMPT}, {"role": "user", "content": text}],
            **more,
        }
        return self.http.post(
            f"{self.url}/openai/v1/chat/completions",
            json=body,
            headers={"api-key": "embedded-api-key"},
        )

    @cached_property
    def http(self) -> httpx.Client:
        """A plain client without base address."""
        client: httpx.Client = self.keep(httpx.Client(timeout=900, verify=False))
        return client

    def follow(self, address: str) -> httpx.Response:
        """Ask for the state of a long-running operation."""
        return self.http.get(address, headers={"Authorization": "Bearer embedded-arm-token"})


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights trained once on the small tickets."""
    examples = read_examples(training_lines(), minimum=10)
    folder = tmp_path_factory.mktemp("weights")
    result = train_to_disk(examples, seed=7, folder=folder, name="small")
    return folder / result.artifacts[-1]


@pytest.fixture
def workshop(tmp_path: Path, weights: Path) -> Iterator[Workshop]:
    """An emulator without delays; tests turn switches with `workshop.emulator.set(…)`."""
    with Emulator(tmp_path / "state", **FAST) as emulator:
        workshop = Workshop(emulator, weights)
        yield workshop
        workshop.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A running receiver of webhooks."""
    one = Receiver()
    yield one
    one.close()
