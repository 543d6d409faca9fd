"""Publishing to a LiteLLM proxy: against the shapes of its admin API always, against the real proxy where there is one.

The real proxy wants other releases of our own dependencies, so that it lives in an environment of its own, which
`make litellm-proxy` makes; GATEWRIGHT_TEST_LITELLM names the Python of another one.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from evals.errors import ConfigurationError, PublishError
from flows.publishers.litellm import LitellmOptions, LitellmPublisher

ADMIN = "sk-admin-of-the-proxy"
MADE = Path(__file__).resolve().parents[3] / ".venv-litellm" / "bin" / "python"
REAL = os.environ.get("GATEWRIGHT_TEST_LITELLM", str(MADE) if MADE.exists() else "")


class Proxy:
    """What of the proxy's admin API counts: models by id, several of them under one name."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.log: list[str] = []
        self.loaded = True

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if path == "/model/info":
            if not self.models and not self.loaded:
                return 500, {"detail": {"error": "LLM Model List not loaded in. Make sure …"}}
            shown = [
                {
                    **model,
                    "litellm_params": {
                        k: v for k, v in model["litellm_params"].items() if k != "api_key"
                    },
                }
                for model in self.models.values()
            ]
            return 200, {"data": shown}
        if path == "/model/new":
            self.models[body["model_info"]["id"]] = body
            self.log.append(f"new {body['model_info']['id']}")
            return 200, {"model_id": body["model_info"]["id"]}
        if body["id"] not in self.models:
            return 400, {"error": {"message": f"Model with id={body['id']} not found in db"}}
        del self.models[body["id"]]
        self.log.append(f"delete {body['id']}")
        return 200, {"message": "deleted"}

    def by_hand(self, model_id: str, name: str = "support") -> None:
        self.models[model_id] = {
            "model_name": name,
            "litellm_params": {"model": "openai/gpt-4o"},
            "model_info": {"id": model_id},
        }


@pytest.fixture
def proxy(server, monkeypatch) -> Proxy:
    monkeypatch.setenv("LITELLM_ADMIN_KEY", ADMIN)
    server.answer = Proxy()
    return server.answer


@pytest.fixture
def publisher(server, tmp_path) -> LitellmPublisher:
    options = LitellmOptions(url=server.url, platform_key="AZURE_OPENAI_API_KEY", alias="support")
    return LitellmPublisher("triage", options, tmp_path)


def later(pointer, generation):
    return msgspec.structs.replace(pointer, generation=generation)


async def test_an_alias_is_made_changed_read_back_and_taken_away(proxy, publisher, pointer):
    assert await publisher.read_back() is None
    await publisher.publish(pointer)
    assert await publisher.read_back() == pointer
    await publisher.publish(later(pointer, 4))
    assert await publisher.read_back() == later(pointer, 4)
    assert list(proxy.models) == ["gatewright-triage-4"]
    await publisher.withdraw()
    await publisher.withdraw()
    assert await publisher.read_back() is None


async def test_the_name_is_never_unanswered(proxy, publisher, pointer):
    await publisher.publish(pointer)
    await publisher.publish(later(pointer, 4))
    assert proxy.log == [
        "new gatewright-triage-3",
        "new gatewright-triage-4",
        "delete gatewright-triage-3",
    ]


async def test_the_same_pointer_again_changes_nothing(proxy, publisher, pointer):
    await publisher.publish(pointer)
    await publisher.publish(pointer)
    assert proxy.log == ["new gatewright-triage-3"]


async def test_the_platforms_key_is_named_and_never_sent(proxy, publisher, pointer, server):
    await publisher.publish(pointer)
    params = proxy.models["gatewright-triage-3"]["litellm_params"]
    assert params["api_key"] == "os.environ/AZURE_OPENAI_API_KEY"
    assert params["model"] == "openai/prod-abc"
    assert {headers["authorization"] for _, _, headers, _ in server.requests} == {f"Bearer {ADMIN}"}


async def test_a_dated_api_is_spoken_as_azure(proxy, publisher, pointer):
    endpoint = msgspec.structs.replace(pointer.endpoint, api_version="2025-04-01-preview")
    await publisher.publish(msgspec.structs.replace(pointer, endpoint=endpoint))
    params = proxy.models["gatewright-triage-3"]["litellm_params"]
    assert (params["model"], params["api_version"]) == ("azure/prod-abc", "2025-04-01-preview")


async def test_an_entry_edited_in_the_proxy_is_found_and_put_right(proxy, publisher, pointer):
    await publisher.publish(pointer)
    proxy.models["gatewright-triage-3"]["litellm_params"]["model"] = "openai/other"
    with pytest.raises(PublishError, match="answered by openai/other"):
        await publisher.read_back()
    await publisher.publish(pointer)
    assert await publisher.read_back() == pointer


async def test_somebody_elses_entry_under_the_name_is_named_and_left_alone(
    proxy, publisher, pointer
):
    proxy.by_hand("theirs")
    await publisher.publish(pointer)
    with pytest.raises(PublishError, match="openai/gpt-4o"):
        await publisher.read_back()
    await publisher.withdraw()
    assert list(proxy.models) == ["theirs"]


async def test_models_of_other_names_are_never_touched(proxy, publisher, pointer):
    proxy.by_hand("others", name="chat")
    await publisher.publish(pointer)
    await publisher.withdraw()
    assert list(proxy.models) == ["others"]


async def test_a_proxy_without_a_single_model_has_none(proxy, publisher, pointer):
    proxy.loaded = False
    assert await publisher.read_back() is None
    await publisher.publish(pointer)
    assert await publisher.read_back() == pointer


async def test_a_proxy_that_is_broken_is_an_error(server, proxy, publisher, pointer):
    server.answer = lambda *_: (500, {"error": "No DB Connected"})
    with pytest.raises(PublishError, match="No DB Connected"):
        await publisher.publish(pointer)


def test_without_the_admin_key_it_says_so(publisher, monkeypatch):
    monkeypatch.delenv("LITELLM_ADMIN_KEY", raising=False)
    assert publisher.problems()[0].where == "LITELLM_ADMIN_KEY"


@pytest.mark.parametrize("url", ["http://litellm.example", "litellm.example", ""])
def test_nothing_is_sent_over_an_open_road(tmp_path, url):
    with pytest.raises(ConfigurationError, match="expected an https address"):
        LitellmPublisher("triage", LitellmOptions(url=url, platform_key="X"), tmp_path)


@pytest.fixture
def real_proxy(tmp_path, monkeypatch) -> Iterator[str]:
    """The real proxy, with one model of its own."""
    if not REAL:
        pytest.skip("there is no LiteLLM proxy to test with: make litellm-proxy")
    config = tmp_path / "litellm.json"
    own = {"model": "openai/other", "api_key": "x", "api_base": "http://127.0.0.1:9"}
    config.write_text(json.dumps({"model_list": [{"model_name": "other", "litellm_params": own}]}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("LITELLM_ADMIN_KEY", ADMIN)
    process = subprocess.Popen(
        [REAL, Path(__file__).with_name("litellm_proxy.py"), str(port), str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={"PATH": os.environ["PATH"], "LITELLM_MASTER_KEY": ADMIN, "PLATFORM_KEY": "sk-live"},
        cwd=tmp_path,
    )
    assert process.stdout is not None
    try:
        assert any(line.strip() == "ready" for line in process.stdout), "the proxy did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.mark.slow
async def test_applications_of_the_real_proxy_are_answered_by_what_is_live(
    real_proxy, server, pointer, tmp_path
):
    def answer(method: str, path: str, body: Any) -> tuple[int, Any]:
        message = {"role": "assistant", "content": f"this is {body['model']}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return 200, {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
        }

    def ask() -> httpx.Response:
        return httpx.post(
            f"{real_proxy}/v1/chat/completions",
            headers={"authorization": f"Bearer {ADMIN}"},
            json={"model": "support", "messages": [{"role": "user", "content": "hello"}]},
            timeout=60,
        )

    server.answer = answer
    options = LitellmOptions(url=real_proxy, platform_key="PLATFORM_KEY", alias="support")
    publisher = LitellmPublisher("triage", options, tmp_path)
    assert await publisher.read_back() is None
    for generation, model in ((3, "v1"), (4, "v2"), (4, "v2")):
        endpoint = msgspec.structs.replace(
            pointer.endpoint, base_url=f"{server.url}/openai/v1", model=model
        )
        live = msgspec.structs.replace(pointer, generation=generation, endpoint=endpoint)
        await publisher.publish(live)
        assert await publisher.read_back() == live
        assert ask().json()["choices"][0]["message"]["content"] == f"this is {model}"
    assert server.requests[-1][2]["authorization"] == "Bearer sk-live"
    await publisher.withdraw()
    assert await publisher.read_back() is None
    assert ask().status_code == 400
