"""What applications read: the live pointer over HTTP, with ETag and long-poll."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
from support.waiting import PATIENCE_S

PATH = "/v1/targets/triage/live"


def test_an_unknown_target_is_a_clear_404(service: Any) -> None:
    answer = service.get("/v1/targets/triag/live")
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "code": "unknown_target",
        "message": "there is no target 'triag'; did you mean 'triage'?",
    }


def test_a_known_target_with_nothing_live_says_so(service: Any) -> None:
    answer = service.get(PATH)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "nothing_live")


def test_the_pointer_comes_with_its_generation_and_no_secret(service: Any, story: Any) -> None:
    story.live("model-1")
    answer = service.get(PATH)
    assert answer.status_code == 200
    assert set(answer.json()) == {
        "target",
        "model_id",
        "platform",
        "endpoint",
        "deployment",
        "generation",
        "since",
        "run_id",
    }
    assert (answer.json()["model_id"], answer.json()["generation"]) == ("model-1", 1)
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["etag"].startswith('"1-')


def test_who_knows_the_generation_is_answered_304(service: Any, story: Any) -> None:
    story.live("model-1")
    etag = service.get(PATH).headers["etag"]
    answer = service.get(PATH, headers={"If-None-Match": f'W/"other", {etag}'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    story.live("model-2")
    assert service.get(PATH, headers={"If-None-Match": etag}).json()["model_id"] == "model-2"


def test_a_waiting_reader_is_told_the_moment_something_else_goes_live(
    service: Any, story: Any
) -> None:
    story.live("model-1")
    known = {"If-None-Match": service.get(PATH).headers["etag"]}
    threading.Timer(0.5, story.live, ["model-2"]).start()
    answer = service.get(f"{PATH}?wait=60", headers=known)
    # At the end of its wait it would get a 304, and no model.
    assert (answer.status_code, answer.json()["model_id"]) == (200, "model-2")


def test_waiting_ends_with_304_when_nothing_changes(
    service: Any, story: Any, registry: Any
) -> None:
    story.live("model-1")
    known = {"If-None-Match": service.get(PATH).headers["etag"]}
    threading.Timer(
        0.3, registry.hold, ["triage"], {"actor": "ana", "reason": "a change that is none"}
    ).start()
    begun = time.monotonic()
    assert service.get(f"{PATH}?wait=1", headers=known).status_code == 304
    assert time.monotonic() - begun > 0.9


def test_many_readers_wait_at_once(service: Any, story: Any) -> None:
    story.live("model-1")
    known = {"If-None-Match": service.get(PATH).headers["etag"]}
    found: list[str] = []

    def read() -> None:
        answer = httpx.get(f"{service.url}{PATH}?wait=60", headers=known, timeout=PATIENCE_S)
        found.append(answer.json()["model_id"])

    readers = [threading.Thread(target=read) for _ in range(40)]
    for reader in readers:
        reader.start()
    time.sleep(0.5)
    story.live("model-2")
    for reader in readers:
        reader.join(900)
    assert found == ["model-2"] * 40


def test_a_wait_that_is_no_number_is_refused(service: Any) -> None:
    for wait in ("soon", "-1", "nan"):
        assert service.get(f"{PATH}?wait={wait}").status_code == 400


def test_health_and_readiness(service: Any) -> None:
    assert service.get("/healthz").json() == {"status": "ok"}
    assert service.get("/readyz").json()["status"] == "ready"
