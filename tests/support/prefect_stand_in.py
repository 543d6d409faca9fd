"""A stand-in for Prefect's REST API on loopback."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["PrefectStandIn", "prefect_stand_in"]


@dataclass
class PrefectStandIn:
    """The few REST calls of a Prefect server that starting needs, with its rule for idempotency keys."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
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
        if path == "/api/admin/version":
            return 200, "3.9.1"
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


@contextmanager
def prefect_stand_in() -> Iterator[PrefectStandIn]:
    """Run a stand-in in a thread."""
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
