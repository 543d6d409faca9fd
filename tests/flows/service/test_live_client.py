"""The client that applications use: quick, up to date, and calm while the service is down."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flows.live_client import NotResolvedError, resolve


def wait_for(model: str, target: str, url: str, patience_s: float = 5.0, **options: Any) -> float:
    begun = time.monotonic()
    while time.monotonic() - begun < patience_s:
        if resolve(target, url=url, **options).model_id == model:
            return time.monotonic() - begun
        time.sleep(0.02)
    raise AssertionError(f"{target} never resolved to {model}")


def test_it_resolves_and_follows(service: Any, story: Any) -> None:
    story.live("model-1")
    live = resolve("triage", url=service.url)
    assert (live.model, live.base_url, live.generation) == ("model-1", "http://127.0.0.1:1/v1", 1)
    story.live("model-2")
    assert wait_for("model-2", "triage", service.url) < 12.0


def test_from_the_second_time_on_it_asks_nobody(service: Any, story: Any) -> None:
    story.live("model-1")
    resolve("triage", url=service.url)
    begun = time.perf_counter()
    for _ in range(5000):
        resolve("triage", url=service.url)
    assert time.perf_counter() - begun < 4  # a request each would take three times as long


def test_while_the_service_is_down_the_last_answer_stays(
    settings: Any, config: Any, in_thread: Any, story: Any
) -> None:
    story.live("model-1")
    with in_thread(settings, config) as url:
        resolve("triage", url=url)
    time.sleep(0.3)
    assert resolve("triage", url=url).model_id == "model-1"


def test_a_process_started_meanwhile_takes_it_from_the_file(
    settings: Any, config: Any, in_thread: Any, story: Any, tmp_path: Path
) -> None:
    story.live("model-1")
    cache = str(tmp_path / "triage.json")
    with in_thread(settings, config) as url:
        resolve("triage", url=url, cache_file=cache)
    assert resolve("triage", url="http://127.0.0.1:9", cache_file=cache).model_id == "model-1"


def test_nothing_live_and_nothing_known_are_said(service: Any, tmp_path: Path) -> None:
    with pytest.raises(NotResolvedError, match="nothing is live for triage"):
        resolve("triage", url=service.url)
    with pytest.raises(NotResolvedError, match="did you mean 'triage'"):
        resolve("triag", url=service.url)
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(NotResolvedError, match=r"127\.0\.0\.1:9"):
        resolve("triage", url="http://127.0.0.1:9", cache_file=str(broken))


def test_a_first_release_is_noticed(service: Any, story: Any) -> None:
    with pytest.raises(NotResolvedError):
        resolve("triage", url=service.url)
    story.live("model-1")
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        try:
            assert resolve("triage", url=service.url).model_id == "model-1"
            return
        except NotResolvedError:
            time.sleep(0.05)
    raise AssertionError("the first release was not noticed")


@pytest.mark.parametrize(
    ("status", "said"), [(404, b"no such backend"), (502, b""), (200, b"[]"), (200, b"<html>")]
)
def test_what_a_proxy_says_while_the_service_is_away_leaves_the_last_answer(
    status: int, said: bytes
) -> None:
    endpoint = {"model": "prod", "base_url": "http://127.0.0.1:1/v1"}
    pointer = json.dumps({"endpoint": endpoint, "model_id": "model-1", "generation": 1}).encode()
    answers = [(200, pointer), (status, said)]

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, content = answers[0] if len(answers) == 1 else answers.pop(0)
            self.send_response(code)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            asked.release()

        def log_message(self, *_: Any) -> None:
            return

    asked = threading.Semaphore(0)
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert resolve("triage", url=url).model_id == "model-1"
        assert all(asked.acquire(timeout=10) for _ in range(3)), "it stopped asking"
        assert resolve("triage", url=url).model_id == "model-1"
        server.shutdown()
