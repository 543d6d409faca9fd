"""A model server, gate files and suites on disk, for the tests of several rooms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.model_server import ModelServer

from evals.config.yaml_lines import dump_yaml
from evals.suites.opened import OpenedSuite, open_suite


@pytest.fixture
def gate_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a gate file: the text of its checks, below a head that is right."""

    def write(checks: str, head: str = "version: 1\nname: tried\nfirst_release: refuse\n") -> Path:
        path = tmp_path / "tried.yaml"
        path.write_text(f"{head}{checks}", encoding="utf-8")
        return path

    return write


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
