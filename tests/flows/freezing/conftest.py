"""A target whose v1 is live, at a host of its own."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.letters import ModelHost, model_host
from support.succession import Succession

from flows.freezing.freeze import freeze, question_of


@pytest.fixture
async def host(listening: socket.socket) -> AsyncIterator[ModelHost]:
    async with model_host(listening) as found:
        yield found


@pytest.fixture(scope="module")
def live_v1(tmp_path_factory: pytest.TempPathFactory, listening: socket.socket) -> Path:
    """The folder of a target whose v1 is live; made once, copied for each test."""

    async def promoted(folder: Path) -> None:
        async with model_host(listening) as host:
            await Succession(folder, host).promoted("v1", wrong=2)

    folder = tmp_path_factory.mktemp("line")
    asyncio.run(promoted(folder))
    return folder


@pytest.fixture
def line(tmp_path: Path, host: ModelHost, live_v1: Path) -> Succession:
    """The target with v1 live, which is wrong on two cases."""
    shutil.copytree(live_v1, tmp_path, dirs_exist_ok=True)
    return Succession(tmp_path, host).answers("v1", wrong=2)


@pytest.fixture(scope="module")
def frozen_v1(
    tmp_path_factory: pytest.TempPathFactory, live_v1: Path, listening: socket.socket
) -> Path:
    """The same after a freeze, each case asked twice; made once, copied for each test."""

    async def frozen(folder: Path) -> None:
        async with model_host(listening) as host:
            line = Succession(folder, host).answers("v1", wrong=2)
            await freeze(question_of(line.settings, "line", repeats=2))

    folder = tmp_path_factory.mktemp("frozen")
    shutil.copytree(live_v1, folder, dirs_exist_ok=True)
    asyncio.run(frozen(folder))
    return folder


@pytest.fixture
def frozen(tmp_path: Path, host: ModelHost, frozen_v1: Path) -> Succession:
    """The target with v1 live and frozen, wrong on two cases."""
    shutil.copytree(frozen_v1, tmp_path, dirs_exist_ok=True)
    return Succession(tmp_path, host).answers("v1", wrong=2)
