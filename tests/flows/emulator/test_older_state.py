"""A state folder that an earlier emulator wrote opens, and what is in it still answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import joblib
import pytest

from flows.emulator.models import classifiers, features, heads, joint
from flows.emulator.server import Emulator
from flows.emulator.state import documents
from flows.emulator.state.documents import Document
from flows.emulator.state.store import Store
from flows.emulator.webhooks.outbox import queue_event


class Batch(Document, kw_only=True):
    """A kind of document that an earlier emulator stored and this one doesn't know."""

    status: str


class WebhookEndpoint(documents.WebhookEndpoint, kw_only=True):
    """An endpoint with the fields it had while endpoints were managed over HTTP."""

    name: str
    old_secret: str | None = None


def test_documents_of_an_unknown_kind_are_left_alone(tmp_path) -> None:
    store = Store(tmp_path)
    store.put(Batch(id="batch_1", status="in_progress"))
    store.close()
    with Emulator(tmp_path) as emulator:
        assert httpx.get(f"{emulator.url}/_emulator/health", timeout=900).json()["status"] == "ok"
    store = Store(tmp_path)
    assert [one.id for one in store.all(Batch)] == ["batch_1"]
    store.close()


def test_a_webhook_endpoint_with_more_fields_still_receives(tmp_path, receiver) -> None:
    store = Store(tmp_path)
    store.put(
        WebhookEndpoint(
            id="we_1",
            account="embedded",
            url=receiver.url,
            event_types=["fine_tuning.job.succeeded", "batch.completed"],
            secret="whsec_AAAA",
            name="ci",
        )
    )
    store.close()
    with Emulator(tmp_path) as emulator:
        queue_event(emulator.state, "embedded", "fine_tuning.job.succeeded", "ftjob-1")
        receiver.wait(1)


def _with_old_module_names(weights: Path, to: Path) -> None:
    """Write weights as they were written when their modules stood directly in flows.emulator."""
    network = joblib.load(weights)
    with pytest.MonkeyPatch.context() as patch:
        for module in (classifiers, features, heads, joint):
            old = module.__name__.replace(".models.", ".")
            patch.setitem(sys.modules, old, module)
            for one in vars(module).values():
                if isinstance(one, type) and one.__module__ == module.__name__:
                    patch.setattr(one, "__module__", old)
        joblib.dump(network, to)


def test_weights_that_name_the_modules_of_before_still_answer(workshop, weights) -> None:
    workshop.plane().put("cand", workshop.tuned())
    [artifact] = workshop.emulator.state.model_cache.folder.iterdir()
    _with_old_module_names(weights, artifact)
    names = [f"flows.emulator.{name}" for name in ("heads", "features", "classifiers", "joint")]
    assert all(name.encode() in artifact.read_bytes() for name in names)
    answer = workshop.ask("cand").json()["choices"][0]["message"]["content"]
    assert set(json.loads(answer)) == {"urgency", "category"}
