"""An HTTP server on loopback that notes what it is asked for, be it as a server (a path) or as a proxy (a whole address)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_ANSWER = {"id": "x", "object": "list", "model": "m", "data": [], "value": [], "version": "3"}


class RecordingProxy:
    """`asked` holds what stood in the request lines."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []


@contextmanager
def recording_proxy() -> Iterator[RecordingProxy]:
    """Run one in a thread; it answers everything with 200 and a little JSON."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            running.asked.append(self.path)
            data = json.dumps(_ANSWER).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running = RecordingProxy(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        server.shutdown()
        thread.join()
