"""Publishing to Azure App Configuration: the real SDK against a server that keeps keys and ETags as the service does."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import pytest

from evals.errors import ConfigurationError, PublishError
from flows.publishers.azure_app_configuration import (
    CONNECTION,
    AzureAppConfigurationOptions,
    AzureAppConfigurationPublisher,
)
from flows.publishers.publish import publish_everywhere

SECRET = base64.b64encode(b"an access key of the store").decode()
KEY = ("gatewright/triage/live", "prod")


class Store:
    """Keys by (key, label), each with an ETag; conditional writes are refused with 412 as the service does."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str | None], dict[str, Any]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.before_put: Any = None
        store = self

        class Handler(BaseHTTPRequestHandler):
            def serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                store.seen.append((self.command, headers))
                parts = urlsplit(self.path)
                label = parse_qs(parts.query).get("label", [None])[0]
                key = (unquote(parts.path.removeprefix("/kv/")), label)
                status, data = store.answer(self.command, key, headers, body)
                payload = json.dumps(data).encode() if data is not None else b""
                self.send_response(status)
                self.send_header("content-type", "application/vnd.microsoft.appconfig.kv+json")
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_PUT = do_DELETE = serve

            def log_message(self, *_: object) -> None:
                """Tests print nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.connection = (
            f"Endpoint=http://127.0.0.1:{self._http.server_port};Id=abc;Secret={SECRET}"
        )
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def answer(
        self, method: str, key: Any, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        if not headers.get("authorization", "").startswith("HMAC-SHA256 Credential=abc"):
            return 401, {"title": "not signed"}
        if method == "GET":
            return (200, self.kept[key]) if key in self.kept else (404, None)
        if method == "DELETE":
            return 200 if key in self.kept else 204, self.kept.pop(key, None)
        if self.before_put is not None:
            self.before_put, act = None, self.before_put
            act()
        standing = self.kept.get(key)
        wanted = headers.get("if-match", "").strip('"')
        if headers.get("if-none-match") == '"*"' or headers.get("if-none-match") == "*":
            if standing is not None:
                return 412, {"title": "exists"}
        elif wanted and (standing is None or standing["etag"] != wanted):
            return 412, {"title": "changed"}
        self.put(key, json.loads(body))
        return 200, self.kept[key]

    def put(self, key: Any, data: dict[str, Any]) -> None:
        etag = f"etag-{len(self.seen)}"
        self.kept[key] = {**data, "key": key[0], "label": key[1], "etag": etag}

    @property
    def writes(self) -> int:
        return sum(method == "PUT" for method, _ in self.seen)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    store = Store()
    monkeypatch.setenv(CONNECTION, store.connection)
    yield store
    store.close()


@pytest.fixture
def publisher(tmp_path):
    options = AzureAppConfigurationOptions(endpoint="https://acme.azconfig.io", label="prod")
    return AzureAppConfigurationPublisher("triage", options, tmp_path)


async def test_a_key_is_created_changed_read_back_and_taken_away(store, publisher, pointer):
    assert await publisher.read_back() is None
    await publisher.publish(pointer)
    assert await publisher.read_back() == pointer
    newer = msgspec.structs.replace(pointer, generation=4)
    await publisher.publish(newer)
    assert await publisher.read_back() == newer
    kept = store.kept[KEY]
    assert (kept["content_type"], kept["tags"]) == ("application/json", {"gatewright": "triage"})
    await publisher.withdraw()
    await publisher.withdraw()
    assert await publisher.read_back() is None


async def test_the_same_pointer_again_writes_nothing(store, publisher, pointer):
    await publisher.publish(pointer)
    await publisher.publish(pointer)
    assert store.writes == 1


@pytest.mark.parametrize("standing", [True, False])
async def test_what_somebody_else_wrote_meanwhile_is_not_overwritten_unseen(
    store, publisher, pointer, standing
):
    if standing:
        await publisher.publish(pointer)
    newer = msgspec.structs.replace(pointer, generation=9)
    store.before_put = lambda: store.put(KEY, {"value": msgspec.json.encode(newer).decode()})
    mine = msgspec.structs.replace(pointer, generation=4)
    with pytest.raises(PublishError, match="written by somebody else meanwhile"):
        await publisher.publish(mine)
    assert (await publisher.read_back()).generation == 9


async def test_the_next_try_reads_again_and_writes(store, publisher, pointer):
    store.before_put = lambda: store.put(KEY, {"value": "{}"})
    (published,) = await publish_everywhere([publisher], pointer, pause_s=0.01)
    assert (published.problem, published.attempts) == (None, 2)
    assert await publisher.read_back() == pointer


async def test_what_is_no_pointer_is_named(store, publisher):
    store.put(KEY, {"value": "latest"})
    with pytest.raises(PublishError, match="holds no live pointer"):
        await publisher.read_back()


async def test_a_store_that_refuses_is_an_error_without_the_secret(
    store, publisher, pointer, monkeypatch
):
    other = store.connection.replace("Id=abc", "Id=xyz")
    monkeypatch.setenv(CONNECTION, other)
    with pytest.raises(PublishError) as caught:
        await publisher.publish(pointer)
    assert "acme.azconfig.io" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_connection_string_of_another_store_is_found_before_anything_is_done(
    publisher, monkeypatch
):
    monkeypatch.setenv(CONNECTION, f"Endpoint=https://other.azconfig.io;Id=a;Secret={SECRET}")
    (problem,) = publisher.problems()
    assert "is for other.azconfig.io" in problem.message
    monkeypatch.setenv(CONNECTION, "nonsense")
    assert "expected 'Endpoint=" in publisher.problems()[0].message
    monkeypatch.delenv(CONNECTION)
    assert publisher.problems() == ()


@pytest.mark.parametrize("endpoint", ["http://acme.azconfig.io", "acme.azconfig.io", ""])
def test_only_an_https_address_is_taken(tmp_path, endpoint):
    with pytest.raises(ConfigurationError, match=r"https://acme\.azconfig\.io"):
        AzureAppConfigurationPublisher(
            "triage", AzureAppConfigurationOptions(endpoint=endpoint), tmp_path
        )
