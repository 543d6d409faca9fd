"""Results of made-up models, gates written in three lines, and suites on disk, for the tests of the gate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from evals.checks.check import Check
from evals.config.yaml_lines import dump_yaml
from evals.evaluation.evaluation import EvaluatedModel
from evals.gate.policy import Approval, GatePolicy, Override
from evals.metrics.results import LabelColumn, ModelResults
from evals.records import Endpoint, Price, digest
from evals.sampling.request_spec import SamplingSettings
from evals.suites.opened import OpenedSuite, open_suite


def results_of(
    columns: Mapping[str, Any] | None = None,
    *,
    model: str = "candidate-1",
    suite: str = "triage",
    tags: Mapping[str, Sequence[str]] | None = None,
    clusters: Any = None,
    labels: Mapping[str, LabelColumn] | None = None,
    planned: Any = None,
    **more: Any,
) -> ModelResults:
    """One model's results from its columns: {"exact_match": [1, 0, …]}."""
    arrays = {
        name: np.asarray(values, dtype=np.float64) for name, values in (columns or {}).items()
    }
    size = len(next(iter(arrays.values()))) if arrays else 0
    if labels:
        size = next(iter(labels.values())).truth.shape[0]
    witness = {name: [repr(value) for value in values.tolist()] for name, values in arrays.items()}
    facts: dict[str, Any] = {
        "model_id": model,
        "suite": suite,
        "fingerprint": f"print of {suite}",
        "grader_versions": dict.fromkeys(arrays, "1"),
        "case_ids": tuple(f"c{number:06}" for number in range(size)),
        "planned": np.ones(size, dtype=bool)
        if planned is None
        else np.asarray(planned, dtype=bool),
        "columns": arrays,
        "labels": labels or {},
        "tags": {name: np.asarray(values, dtype=np.str_) for name, values in (tags or {}).items()},
        "clusters": None if clusters is None else np.asarray(clusters, dtype=np.int64),
        "outcomes": {"answered": size},
        "evidence_digest": digest([suite, model, witness]),
    }
    return ModelResults(**(facts | more))


def policy_of(*checks: Check | Mapping[str, Any], **more: Any) -> GatePolicy:
    """A gate of these checks; `more` are its options."""
    made = tuple(
        check if isinstance(check, Check) else Check(field=f"checks[{number}].x", **check)
        for number, check in enumerate(checks)
    )
    facts: dict[str, Any] = {
        "name": "gate",
        "path": "gate.yaml",
        "checks": made,
        "first_release": "absolute_checks",
        "confidence": 0.95,
        "min_scored": 0.99,
        "early_stop": True,
        "futility": True,
        "on_inconclusive": "fail",
        "approval": Approval(),
        "override": Override(),
        "training_overlap": {},
    } | more
    return GatePolicy(digest=digest([repr(made), repr(sorted(more.items()))]), **facts)


@pytest.fixture
def results() -> Callable[..., ModelResults]:
    return results_of


@pytest.fixture
def policy() -> Callable[..., GatePolicy]:
    return policy_of


@pytest.fixture
def changed() -> Callable[..., ModelResults]:
    """`dataclasses.replace` for results."""
    return replace


@pytest.fixture
def gate_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a gate file: the text of its checks, below a head that is right."""

    def write(checks: str, head: str = "version: 1\nname: tried\nfirst_release: refuse\n") -> Path:
        path = tmp_path / "tried.yaml"
        path.write_text(f"{head}{checks}", encoding="utf-8")
        return path

    return write


class ModelServer:
    """A chat endpoint on loopback: `answer(model, text)` says what a model says; None is a server error."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[tuple[str, str]] = []
        self.answer: Callable[[str, str], str | None] = lambda _model, _text: "yes"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                model, text = body["model"], body["messages"][-1]["content"]
                self.asked.append((model, text))
                writer.write(self._reply(self.answer(model, text)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _reply(self, said: str | None) -> bytes:
        message = {"role": "assistant", "content": said}
        body: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
        }
        status = "200 OK"
        if said is None:
            status, body = "400 Bad", {"error": {"code": "trouble", "message": "no"}}
        data = json.dumps(body).encode()
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(data)}"
        return head.encode() + b"\r\n\r\n" + data

    def side(self, model: str) -> EvaluatedModel:
        """The model as one side of a contest."""
        url = f"http://127.0.0.1:{self.port}/v1"
        endpoint = Endpoint(base_url=url, model=model, model_id=f"{model}-id")
        return EvaluatedModel(
            connection=StubConnection(endpoint),
            settings=SamplingSettings(concurrency=16, max_attempts=1),
            price=Price(input=1.0, output=2.0),
        )


class StubConnection:
    """A connection as platforms give it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def auth(self) -> dict[str, str]:
        return {"api-key": "key-0123456789abcdef"}


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    models = ModelServer()
    listening = await asyncio.start_server(models.handle, "127.0.0.1", 0)
    models.port = listening.sockets[0].getsockname()[1]
    yield models
    listening.close()
    for _ in range(20):  # let connection handlers see that their clients are gone
        await asyncio.sleep(0)


@pytest.fixture
def folder_suite(tmp_path: Path) -> Callable[..., OpenedSuite]:
    """A suite of yes/no questions "case 1", "case 2", …, every answer "yes", in slices by `plan`."""

    def build(size: int, name: str = "triage", **more: Any) -> OpenedSuite:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        suite = {
            "version": 1,
            "name": name,
            "prompt": [{"role": "user", "content": "{{ item.text }}"}],
            "graders": [{"name": "exact" if name == "triage" else name, "type": "exact"}],
        } | more
        (folder / "suite.yaml").write_text(dump_yaml(suite), encoding="utf-8")
        rows = [
            {
                "id": f"c{number}",
                "item": {"text": f"{name} case {number}"},
                "expected": "yes",
                "tags": {"plan": "enterprise" if number % 5 == 0 else "free"},
            }
            for number in range(size)
        ]
        (folder / "cases.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
        return open_suite(folder)

    return build
