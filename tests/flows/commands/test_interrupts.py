"""Ctrl-C on a real process: one calm line, the command that goes on, exit code 130; and that command does go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.waiting import PATIENCE_S, wait_until

MODEL = "ft:gpt-4.1-mini-2025-04-14:acme:new:Aa1"
CASES = 40
TARGET = """\
version: 1
name: letters
platform: openai
openai: {base_url: "http://127.0.0.1:PORT/v1", key_variable: none}
suites: [letters]
gate: letters
sampling: {concurrency: 4}
"""
SUITE = """\
version: 1
name: letters
prompt: [{role: user, content: "Write about {{ item.about }}."}]
graders: [{name: kind, type: contains, text: kind}]
"""
GATE = """\
version: 1
name: letters
first_release: absolute_checks
early_stop: false
checks: [{metric: kind, at_least: 0.5}]
"""


class Slow(BaseHTTPRequestHandler):
    """Answers the first few cases, and those after them only when it is let."""

    asked = 0
    go_on = threading.Event()
    lock = threading.Lock()

    def do_GET(self) -> None:
        self.reply({"id": MODEL, "object": "model", "created": 0, "owned_by": "acme"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            type(self).asked += 1
        if self.asked > 8:
            self.go_on.wait(900)
        message = {"role": "assistant", "content": "a kind letter"}
        self.reply({"model": MODEL, "choices": [{"message": message, "finish_reason": "stop"}]})

    def reply(self, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[type[Slow]]:
    handler = type("Fresh", (Slow,), {"asked": 0, "go_on": threading.Event()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.port = server.server_address[1]  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield handler
    handler.go_on.set()
    server.shutdown()
    server.server_close()
    thread.join()


def write(project, port: int) -> None:
    suite = project.datasets / "letters"
    suite.mkdir()
    (suite / "suite.yaml").write_text(SUITE)
    rows = ({"id": f"c{n}", "item": {"about": f"matter {n}"}} for n in range(CASES))
    (suite / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (project.gates / "letters.yaml").write_text(GATE)
    (project.targets / "letters.yaml").write_text(TARGET.replace("PORT", str(port)))


def start(project, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=project.folder,
        env={**os.environ, **project.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell that runs the tests in the background has Ctrl-C ignored, and so would what we start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.slow
def test_ctrl_c_says_in_one_line_that_nothing_is_lost_and_which_command_goes_on(project, service):
    write(project, service.port)
    process = start(project, "evaluate", "letters", "--model", MODEL)
    wait_until(lambda: service.asked > 8 or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 130, err
    assert "Traceback" not in out + err
    last = err.strip().splitlines()[-1]
    assert last.startswith("stopped; nothing is lost, what was answered is kept. Go on with: ")
    command = last.partition("Go on with: gatewright ")[2].split()
    assert command[0] == "resume"

    service.go_on.set()
    gone_on = project.gatewright(*command, "--json")
    assert (gone_on.code, gone_on.json["verdict"]["outcome"]) == (0, "PASS")
    # Only the few that were in flight may have been asked twice; a probe or two come before the cases.
    assert service.asked < CASES + 20

    asked = service.asked
    shown = project.gatewright(*command, "--json")
    assert (shown.code, shown.json["verdict"]) == (0, gone_on.json["verdict"])
    assert service.asked == asked
