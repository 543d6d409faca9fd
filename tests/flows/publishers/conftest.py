"""A live pointer, and a small server on loopback that remembers what it was sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from evals.records import Endpoint, LivePointer


@pytest.fixture
def pointer() -> LivePointer:
    return LivePointer(
        target="triage",
        model_id="ft:gpt-4.1-mini:acme::abc",
        platform="azure_openai",
        endpoint=Endpoint(
            base_url='https://acme.example/openai/v1?a="b"',
            model="prod-abc",
            model_id="ft:gpt-4.1-mini:acme::abc",
            slot="production",
        ),
        deployment="prod-abc",
        generation=3,
        since="2026-11-20T09:00:00.000000Z",
    )


class Server:
    """Answers with what `answer` returns for (method, path, body): a status, and JSON or None."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Callable[[str, str, Any], tuple[int, Any]] = lambda *_: (204, None)
        server = self

        class Handler(BaseHTTPRequestHandler):
            def serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {key.lower(): value for key, value in self.headers.items()}
                server.requests.append((self.command, self.path, headers, body))
                plain = json.loads(body) if body else None
                status, data = server.answer(self.command, self.path, plain)
                payload = b"" if data is None else json.dumps(data).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_PATCH = do_DELETE = serve

            def log_message(self, *_: object) -> None:
                """Tests print nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()
