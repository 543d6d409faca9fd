"""Publishing to a Prefect variable and by a signed webhook, against a server on loopback."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from evals.errors import ConfigurationError, CredentialError, PublishError
from flows.publishers.prefect_variable import PrefectVariableOptions, PrefectVariablePublisher
from flows.publishers.webhook import WebhookOptions, WebhookPublisher

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, ok").decode()


class Variables:
    """The part of Prefect's variables API that counts, in memory."""

    def __init__(self):
        self.kept = {}

    def __call__(self, method, path, body):
        name = path.rpartition("/")[2]
        if method == "POST":
            if body["name"] in self.kept:
                return 409, {"detail": "exists"}
            self.kept[body["name"]] = body["value"]
            return 201, body
        if name not in self.kept:
            return 404, {"detail": "Variable not found."}
        if method == "PATCH":
            self.kept[name] = body["value"]
            return 204, None
        if method == "DELETE":
            del self.kept[name]
            return 204, None
        return 200, {"name": name, "value": self.kept[name]}


@pytest.fixture
def variable(server, monkeypatch, tmp_path):
    server.answer = Variables()
    monkeypatch.setenv("PREFECT_API_URL", f"{server.url}/api/")
    for name in ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return PrefectVariablePublisher("triage", PrefectVariableOptions(name="triage_live"), tmp_path)


async def test_a_variable_is_created_changed_read_back_and_taken_away(variable, pointer):
    assert await variable.read_back() is None
    await variable.publish(pointer)
    assert await variable.read_back() == pointer
    newer = msgspec.structs.replace(pointer, generation=4)
    await variable.publish(newer)
    assert await variable.read_back() == newer
    await variable.withdraw()
    await variable.withdraw()
    assert await variable.read_back() is None


@pytest.mark.parametrize(
    ("name", "value", "header"),
    [
        ("PREFECT_API_AUTH_STRING", "ana:pw", "Basic " + base64.b64encode(b"ana:pw").decode()),
        ("PREFECT_API_KEY", "pnu_1", "Bearer pnu_1"),
    ],
)
async def test_a_guarded_server_is_given_its_credential(
    variable, server, pointer, monkeypatch, name, value, header
):
    monkeypatch.setenv(name, value)
    await variable.publish(pointer)
    assert {headers["authorization"] for _, _, headers, _ in server.requests} == {header}


async def test_without_a_server_it_says_which_variable_is_missing(variable, pointer, monkeypatch):
    assert variable.problems() == ()
    monkeypatch.delenv("PREFECT_API_URL")
    (problem,) = variable.problems()
    assert problem.where == "PREFECT_API_URL"
    with pytest.raises(PublishError, match="PREFECT_API_URL"):
        await variable.publish(pointer)


async def test_an_answer_that_is_no_success_is_an_error(variable, server, pointer):
    server.answer = lambda *_: (503, {"detail": "database is locked"})
    with pytest.raises(PublishError, match=r"answered 503: .*database is locked"):
        await variable.publish(pointer)


async def test_a_variable_of_something_else_is_no_pointer(variable, server):
    server.answer.kept["triage_live"] = "not ours"
    with pytest.raises(PublishError, match="no live pointer"):
        await variable.read_back()


@pytest.fixture
def webhook(server, monkeypatch, tmp_path):
    monkeypatch.setenv("GATEWRIGHT_WEBHOOK_SECRET", SECRET)
    return WebhookPublisher("triage", WebhookOptions(url=f"{server.url}/live"), tmp_path)


async def test_a_receiver_can_verify_what_it_was_sent(webhook, server, pointer):
    await webhook.publish(pointer)
    ((method, path, headers, body),) = server.requests
    assert (method, path) == ("POST", "/live")
    told = Webhook(SECRET).verify(body, headers)
    assert told["type"] == "live.changed"
    assert msgspec.convert(told["data"], type(pointer)) == pointer
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"abc", b"abd"), headers)


async def test_every_try_of_one_generation_has_the_same_id(webhook, server, pointer):
    await webhook.publish(pointer)
    await webhook.publish(pointer)
    await webhook.publish(msgspec.structs.replace(pointer, generation=4))
    first, again, newer = (headers["webhook-id"] for _, _, headers, _ in server.requests)
    assert first == again != newer


async def test_withdrawing_is_told_too(webhook, server):
    await webhook.withdraw()
    ((_, _, headers, body),) = server.requests
    assert Webhook(SECRET).verify(body, headers)["type"] == "live.withdrawn"


@pytest.mark.parametrize("status", [302, 400, 500])
async def test_only_2xx_is_taken_for_received(webhook, server, pointer, status):
    server.answer = lambda *_: (status, None)
    with pytest.raises(PublishError, match=f"answered {status}"):
        await webhook.publish(pointer)


async def test_with_a_read_url_it_reads_back(server, pointer, monkeypatch, tmp_path):
    options = WebhookOptions(url=f"{server.url}/live", read_url=f"{server.url}/now")
    publisher = WebhookPublisher("triage", options, tmp_path)
    assert publisher.reads_back
    server.answer = lambda *_: (404, None)
    assert await publisher.read_back() is None
    server.answer = lambda *_: (200, msgspec.to_builtins(pointer))
    assert await publisher.read_back() == pointer
    server.answer = lambda *_: (200, {"model": "?"})
    with pytest.raises(PublishError):
        await publisher.read_back()


@pytest.mark.parametrize("secret", ["", "whsec_", "not base64!"])
async def test_a_secret_that_is_none_is_named_and_never_shown(
    webhook, pointer, monkeypatch, secret
):
    monkeypatch.setenv("GATEWRIGHT_WEBHOOK_SECRET", secret)
    (problem,) = webhook.problems()
    assert problem.where == "GATEWRIGHT_WEBHOOK_SECRET"
    assert "not base64!" not in str(problem)
    with pytest.raises(CredentialError):
        await webhook.publish(pointer)


@pytest.mark.parametrize("url", ["http://example.test/x", "ftp://127.0.0.1/x", "nonsense", ""])
def test_nothing_is_sent_over_an_open_road(tmp_path, url):
    with pytest.raises(ConfigurationError, match="https"):
        WebhookPublisher("triage", WebhookOptions(url=url), tmp_path)


async def test_a_login_in_the_address_is_never_shown(monkeypatch, tmp_path, pointer):
    monkeypatch.setenv("GATEWRIGHT_WEBHOOK_SECRET", SECRET)
    options = WebhookOptions(url="http://ana:pw@127.0.0.1:1/live?token=t0ps3cret")
    publisher = WebhookPublisher("triage", options, tmp_path)
    with pytest.raises(PublishError) as caught:
        await publisher.publish(pointer)
    assert "pw" not in str(caught.value)
    assert "t0ps3cret" not in str(caught.value) + publisher.name
    assert json.dumps(publisher.name)
