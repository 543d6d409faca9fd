"""A proxy in front of a model service on loopback that loses the answers to chosen questions: a 500 in their place."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

__all__ = ["LossyProxy", "lossy_proxy"]


class LossyProxy:
    """`loses(model, question, attempt)` says whether an attempt (from 1) is answered with a 500; `heal` ends all losses.

    `model` is the deployment that is asked, `question` is the last message. `asked` counts the attempts.
    """

    def __init__(self, upstream: str) -> None:
        self.url = ""
        self.upstream = urlsplit(upstream)
        self.loses: Callable[[str, str, int], bool] = _never
        self.asked: Counter[tuple[str, str]] = Counter()
        self.lost = 0
        self.lock = threading.Lock()

    def heal(self) -> None:
        """Pass everything on from now."""
        self.loses = _never

    def is_lost(self, body: bytes) -> bool:
        """Count an attempt and say whether its answer is lost."""
        try:
            asked = json.loads(body)
            model, question = str(asked["model"]), str(asked["messages"][-1]["content"])
        except (ValueError, KeyError, IndexError, TypeError):
            return False
        with self.lock:
            self.asked[model, question] += 1
            attempt = self.asked[model, question]
        lost = self.loses(model, question, attempt)
        with self.lock:
            self.lost += lost
        return lost


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._pass_on()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _pass_on(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if proxy.is_lost(body):
            self._reply(500, [], b'{"error": {"code": "trouble", "message": "lost"}}')
            return
        upstream = http.client.HTTPConnection(proxy.upstream.netloc, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if _passed(name)}
            upstream.request(self.command, self.path, body or None, headers)
            answer = upstream.getresponse()
            self._reply(answer.status, answer.getheaders(), answer.read())
        finally:
            upstream.close()

    def _reply(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if _passed(name):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: LossyProxy


@contextmanager
def lossy_proxy(upstream: str) -> Iterator[LossyProxy]:
    """Run a proxy in threads of its own."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.proxy = LossyProxy(upstream)
    server.proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_OWN = [
    "content-length",
    "transfer-encoding",
    "connection",
    "host",
    "date",
    "server",
    "accept-encoding",
]


def _passed(header: str) -> bool:
    return header.lower() not in _OWN


def _never(_model: str, _question: str, _attempt: int) -> bool:
    return False
