"""A small model server for benchmarks: raw asyncio, one process, fixed latency, scripted shares of faults.

    python tests/bench/sampling_server.py --port 0 --latency-ms 50 [--rate-limited 0.05] [--broken 0.02]

Prints its port. It answers every POST with a chat completion that echoes the last message, and GET /_stats with what it counted:
requests, requests by status, the most at once, requests of a case beyond the first, and requests sent before a Retry-After was over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import time
from collections import Counter

ANSWER = (
    '{"id":"chatcmpl-bench","object":"chat.completion","created":1795250000,'
    '"model":"gpt-4.1-mini-2025-04-14.ft-5d1e0c9a7b2f4c0f9e3a6d8b1c2e4f70",'
    '"system_fingerprint":"fp_ab12cd34ef","prompt_filter_results":[{"prompt_index":0,'
    '"content_filter_results":{"hate":{"filtered":false,"severity":"safe"},'
    '"jailbreak":{"filtered":false,"detected":false}}}],"choices":[{"index":0,"finish_reason":"stop",'
    '"logprobs":null,"message":{"role":"assistant","content":%s,"refusal":null,"annotations":[]},'
    '"content_filter_results":{"hate":{"filtered":false,"severity":"safe"},'
    '"protected_material_text":{"filtered":false,"detected":false}}}],'
    '"usage":{"prompt_tokens":41,"completion_tokens":3,"total_tokens":44,'
    '"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
    '"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}'
)
HEADERS = (
    "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    "x-ratelimit-limit-requests: 100000\r\nx-ratelimit-remaining-requests: 90000\r\n"
    "x-ratelimit-limit-tokens: 10000000\r\nx-ratelimit-remaining-tokens: 9000000\r\n"
    "x-request-id: 6a0c1f0e-77aa-4c0e-9a41-5b0c1b6a9d11\r\n%s\r\n"
)
BUSY = b'{"error":{"code":"429","message":"Too many requests. Please retry after 1 seconds."}}'
BROKEN = b'{"error":{"code":"InternalServerError","message":"Something broke."}}'


class Bench:
    """What all connections share."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.latency_s = options.latency_ms / 1000
        self.rate_limited, self.broken = options.rate_limited, options.broken
        self.rng = random.Random(options.seed)
        self.requests = self.in_flight = self.most_at_once = self.early = 0
        self.by_status: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.not_before: dict[str, float] = {}

    def answer(self, body: bytes) -> tuple[str, bytes, str]:
        """Return status line, body and further headers for a request body."""
        request = json.loads(body)
        content = request["messages"][-1]["content"]
        key = request["model"] + " " + content
        self.requests += 1
        self.asked[key] += 1
        now = time.monotonic()
        if now < self.not_before.pop(key, 0.0):
            self.early += 1
        draw = self.rng.random()
        if draw < self.rate_limited:
            self.not_before[key] = now + self.latency_s + 1.0
            return "429 Too Many Requests", BUSY, "Retry-After: 1\r\n"
        if draw < self.rate_limited + self.broken:
            return "500 Internal Server Error", BROKEN, ""
        return "200 OK", (ANSWER % json.dumps(content)).encode(), ""

    def stats(self) -> bytes:
        """Return the counters as JSON."""
        return json.dumps(
            {
                "requests": self.requests,
                "by_status": dict(self.by_status),
                "most_at_once": self.most_at_once,
                "cases": len(self.asked),
                "asked_again": self.requests - len(self.asked),
                "early": self.early,
                "in_flight": self.in_flight,
            }
        ).encode()


class Connection(asyncio.Protocol):
    """One keep-alive connection without pipelining."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        if head.startswith(b"GET"):
            self.buffer = b""
            self._write("200 OK", self.bench.stats(), "")
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(rest) < length:
            return
        self.buffer = b""
        answer = self.bench.answer(rest)
        self.bench.in_flight += 1
        self.bench.most_at_once = max(self.bench.most_at_once, self.bench.in_flight)
        asyncio.get_running_loop().call_later(self.bench.latency_s, self._respond, *answer)

    def _respond(self, status: str, body: bytes, headers: str) -> None:
        self.bench.in_flight -= 1
        self.bench.by_status[status[:3]] += 1
        self._write(status, body, headers)

    def _write(self, status: str, body: bytes, headers: str) -> None:
        if not self.transport.is_closing():
            self.transport.write((HEADERS % (status, len(body), headers)).encode() + body)


async def serve(options: argparse.Namespace) -> None:
    """Serve until told to end."""
    bench = Bench(options)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(bench), "127.0.0.1", options.port, backlog=512
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    server.close()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--rate-limited", type=float, default=0.0)
    parser.add_argument("--broken", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=7)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
