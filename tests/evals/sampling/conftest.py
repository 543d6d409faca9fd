"""A loopback model server that misbehaves to order, and the few lines around `sample` every test needs."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evals.records import Endpoint, Message
from evals.sampling.journal.journal import Journal
from evals.sampling.request_spec import ModelRequest, SamplingSettings, interleave
from evals.sampling.sampler import sample

Action = Callable[["Exchange"], Any]


@dataclass
class Request:
    """What came in, and the how-manieth it is: of its case, and of all."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes
    model: str
    text: str
    nth: int
    total: int


@dataclass
class Exchange:
    """A request and the way to answer it."""

    request: Request
    writer: asyncio.StreamWriter
    close: bool = False

    async def send(
        self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None
    ) -> None:
        head = f"HTTP/1.1 {status} Any\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.writer.write(head.encode() + b"\r\n" + (body if cut is None else body[:cut]))
        await self.writer.drain()


@dataclass
class FaultServer:
    """Answers by `script(request)`, which returns one of the actions below."""

    port: int = 0
    script: Callable[[Request], Action] = field(default=lambda request: ok(request.text))
    latency_s: float = 0.0
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    requests: list[Request] = field(default_factory=list)
    in_flight: int = 0
    most_at_once: int = 0
    keep: bool = True

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                request = await self._read(reader)
                self.in_flight += 1
                self.most_at_once = max(self.most_at_once, self.in_flight)
                try:
                    if self.latency_s:
                        await asyncio.sleep(self.latency_s)
                    exchange = Exchange(request, writer)
                    await self.script(request)(exchange)
                finally:
                    self.in_flight -= 1
                if exchange.close:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort() if not writer.is_closing() else None

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        headers = {name.lower(): value for name, value in headers.items()}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        body = json.loads(raw) if raw else {}
        messages = body.get("messages") or body.get("input") or [{"content": ""}]
        text = messages[-1].get("content") or ""
        key = (body.get("model", ""), text if isinstance(text, str) else json.dumps(text))
        self.asked[key] += 1
        path = first.split(" ")[1]
        request = Request(path, headers, body, raw, *key, self.asked[key], self.asked.total())
        if self.keep:
            self.requests.append(request)
        return request


def completion(text: str | None, **changes: Any) -> dict[str, Any]:
    """A chat completion as the service sends it."""
    message = {"role": "assistant", "content": text, "refusal": changes.pop("refusal", None)}
    message |= changes.pop("message", {})
    choice = {"index": 0, "finish_reason": changes.pop("finish_reason", "stop"), "message": message}
    usage = {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1795250000,
        "model": "served-model",
        "system_fingerprint": "fp_1",
        "choices": [choice],
        "usage": usage,
    } | changes


def ok(text: str | None, headers: dict[str, str] | None = None, **changes: Any) -> Action:
    return status(200, completion(text, **changes), headers)


def status(code: int, body: Any, headers: dict[str, str] | None = None) -> Action:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    merged = {"Content-Type": "application/json"} | (headers or {})
    return lambda exchange: exchange.send(code, data, merged)


def failing(
    code: int, error_code: str = "", message: str = "trouble", headers: dict[str, str] | None = None
) -> Action:
    return status(code, {"error": {"code": error_code or str(code), "message": message}}, headers)


def reset_mid_body(text: str) -> Action:
    async def act(exchange: Exchange) -> None:
        await exchange.send(200, json.dumps(completion(text)).encode(), {}, cut=50)
        exchange.writer.transport.abort()
        exchange.close = True

    return act


def drop_at_once() -> Action:
    async def act(exchange: Exchange) -> None:
        exchange.writer.transport.abort()
        exchange.close = True

    return act


def drip(text: str, every_s: float) -> Action:
    async def act(exchange: Exchange) -> None:
        body = json.dumps(completion(text)).encode()
        await exchange.send(200, body, {}, cut=10)
        for position in range(10, len(body)):
            await asyncio.sleep(every_s)
            if exchange.writer.is_closing():
                exchange.close = True
                return
            exchange.writer.write(body[position : position + 1])

    return act


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    fault_server = FaultServer()
    listening = await asyncio.start_server(fault_server.handle, "127.0.0.1", 0, backlog=512)
    fault_server.port = listening.sockets[0].getsockname()[1]
    yield fault_server
    listening.close()
    for _ in range(20):  # let connection handlers see that their clients are gone
        await asyncio.sleep(0)


@dataclass
class StubConnection:
    """A connection as platforms give it."""

    endpoint: Endpoint
    auth: Any


@dataclass
class Studio:
    """Asks, connections and a journal, with defaults that keep tests short."""

    folder: Path
    server: FaultServer
    roles: tuple[str, ...] = ("candidate", "baseline")
    actions: Any = None
    api: str = "chat"
    secret: str = "key-0123456789abcdef"

    # What the scripts of a test may answer.
    ok = staticmethod(ok)
    status = staticmethod(status)
    failing = staticmethod(failing)
    completion = staticmethod(completion)
    reset_mid_body = staticmethod(reset_mid_body)
    drop_at_once = staticmethod(drop_at_once)
    drip = staticmethod(drip)

    def endpoint(self, role: str) -> Endpoint:
        return Endpoint(
            base_url=self.server.base_url, model=role, model_id=f"{role}-id", api=self.api
        )

    async def auth(self) -> dict[str, str]:
        return {"api-key": self.secret}

    def connections(self) -> dict[str, StubConnection]:
        return {role: StubConnection(self.endpoint(role), self.auth) for role in self.roles}

    def asks(self, cases: int, *, repeats: int = 1, first: int = 0) -> Iterator[ModelRequest]:
        def of(role: str) -> Iterator[ModelRequest]:
            for number in range(first, first + cases):
                for repeat in range(repeats):
                    message = Message(role="user", content=f"case {number}")
                    yield ModelRequest(
                        role=role,
                        suite="triage",
                        case_id=f"c-{number}",
                        repeat=repeat,
                        messages=(message,),
                    )

        return interleave(*(of(role) for role in self.roles))

    async def run(self, asks: Any, *, journal: Journal | None = None, **options: Any) -> Any:
        settings = options.pop("settings", None) or SamplingSettings(
            concurrency=options.pop("concurrency", 16), timeout_s=options.pop("timeout_s", 60.0)
        )
        if isinstance(settings, SamplingSettings):
            settings = dict.fromkeys(self.roles, settings)
        connections = options.pop("connections", None) or self.connections()
        own = journal or Journal.open(self.folder)
        try:
            return await sample(
                asks, connections=connections, settings=settings, journal=own, seed=1, **options
            )
        finally:
            if journal is None:
                own.close(compress=False)

    def responses(self, role: str = "candidate") -> dict[tuple[str, int], Any]:
        found = list(Journal.open(self.folder, read_only=True).responses(role, "triage"))
        keyed = {(response.case_id, response.repeat): response for response in found}
        assert len(keyed) == len(found), "a case has more than one outcome"
        return keyed

    def check_books(self, summary: Any, cases: int) -> None:
        """Every planned case has one outcome, the totals add up, nothing was asked more often than said."""
        for role in self.roles:
            responses = self.responses(role)
            assert len(responses) == cases
            assert summary.roles[role].done == cases
            assert Counter(r.outcome for r in responses.values()) == summary.roles[role].outcomes
            asked = {text: n for (model, text), n in self.server.asked.items() if model == role}
            for (case_id, _), response in responses.items():
                assert asked.get(f"case {case_id[2:]}", 0) <= response.attempts
            assert sum(asked.values()) <= summary.roles[role].requests
            assert summary.roles[role].requests == sum(r.attempts for r in responses.values())
            assert summary.roles[role].unfinished == 0


@pytest.fixture
def studio(tmp_path: Path, server: FaultServer) -> Studio:
    return Studio(tmp_path / "run", server)
