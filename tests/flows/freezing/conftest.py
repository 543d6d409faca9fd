"""A target whose v1 is live, at a host of its own."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from support.letters import ModelHost, model_host
from support.succession import Succession, model


@pytest.fixture(scope="module")
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


@pytest.fixture
async def host(listening: socket.socket) -> AsyncIterator[ModelHost]:
    async with model_host(listening) as found:
        yield found


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, listening: socket.socket) -> Path:
    """The folder of a target whose v1 is live; made once, copied for each test."""

    async def promoted(folder: Path) -> None:
        async with model_host(listening) as host:
            await Succession(folder, host).promoted("v1", wrong=2)

    folder = tmp_path_factory.mktemp("line")
    asyncio.run(promoted(folder))
    return folder


@pytest.fixture
def line(tmp_path: Path, host: ModelHost, original: Path) -> Succession:
    """The target with v1 live, which is wrong on two cases."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    line = Succession(tmp_path, host)
    line.wrong[model("v1")] = 2
    host.known.add(model("v1"))
    return line
