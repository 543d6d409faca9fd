"""The client that applications use: quick, up to date, and calm while the service is down."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.service import in_thread
from support.waiting import PATIENCE_S, wait_until

from flows.live_client import NotResolvedError, resolve

ENDPOINT = {"model": "prod", "base_url": "http://127.0.0.1:1/v1"}
POINTER = json.dumps({"endpoint": ENDPOINT, "model_id": "model-1", "generation": 1}).encode()


def test_it_resolves_and_follows(service: Any, story: Any) -> None:
    story.live("model-1")
    live = resolve("triage", url=service.url)
    assert (live.model, live.base_url, live.generation) == ("model-1", "http://127.0.0.1:1/v1", 1)
    story.live("model-2")
    wait_until(lambda: resolve("triage", url=service.url).model_id == "model-2")


def test_while_the_service_is_down_the_last_answer_stays(
    settings: Any, config: Any, story: Any
) -> None:
    story.live("model-1")
    with in_thread(settings, config) as url:
        resolve("triage", url=url)
    time.sleep(0.3)
    assert resolve("triage", url=url).model_id == "model-1"


def test_a_process_started_meanwhile_takes_it_from_the_file(
    settings: Any, config: Any, story: Any, tmp_path: Path
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

    def noticed() -> bool:
        with suppress(NotResolvedError):
            return resolve("triage", url=service.url).model_id == "model-1"
        return False

    wait_until(noticed, "that the first release is noticed")


@contextmanager
def answering(*answers: tuple[int, bytes]) -> Iterator[tuple[str, threading.Semaphore]]:
    """A server that gives these answers, the last one again and again; yields its address and a count of requests."""
    left, asked = list(answers), threading.Semaphore(0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, content = left[0] if len(left) == 1 else left.pop(0)
            self.send_response(code)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            asked.release()

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_from_the_second_time_on_it_asks_nobody() -> None:
    with answering((200, POINTER)) as (url, asked):
        for _ in range(5000):
            assert resolve("triage", url=url).model_id == "model-1"
        requests = 0
        while asked.acquire(blocking=False):
            requests += 1
    assert 1 <= requests < 500, "what follows in the background asks once a second at most"


@pytest.mark.parametrize(
    ("status", "said"), [(404, b"no such backend"), (502, b""), (200, b"[]"), (200, b"<html>")]
)
def test_what_a_proxy_says_while_the_service_is_away_leaves_the_last_answer(
    status: int, said: bytes
) -> None:
    with answering((200, POINTER), (status, said)) as (url, asked):
        assert resolve("triage", url=url).model_id == "model-1"
        assert all(asked.acquire(timeout=PATIENCE_S) for _ in range(3)), "it stopped asking"
        assert resolve("triage", url=url).model_id == "model-1"
