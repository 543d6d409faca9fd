"""What the tests of several rooms begin with. How it is made stands in tests/support."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.project import Project, copy_of_ours

if TYPE_CHECKING:  # what most tests do without is imported by the fixtures that need it
    from support.azure import Account
    from support.clock import Clock
    from support.emulator import TrainedModels
    from support.file_platform import World
    from support.letters import Letters, ModelHost
    from support.promoted import Original, Place
    from support.topics import Field

    from flows.emulator.server import Emulator
    from flows.platforms.fine_tuning.records import Job


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Copies of Gatewright's own targets, gates and suites."""
    return copy_of_ours(tmp_path)


# ---- the emulator with two fine-tunes, and an Azure account on it


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, TrainedModels]]:
    from support.emulator import emulator_with_models

    with emulator_with_models(tmp_path_factory.mktemp("emulator")) as both:
        yield both


@pytest.fixture
def emulator(running: tuple[Emulator, TrainedModels]) -> Iterator[Emulator]:
    from support.emulator import without_deployments

    with without_deployments(running[0]) as shared:
        yield shared


@pytest.fixture
def models(running: tuple[Emulator, TrainedModels]) -> TrainedModels:
    return running[1]


@pytest.fixture
def account(
    tmp_path: Path, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> Iterator[Account]:
    from support.azure import account_on

    with account_on(Project(tmp_path), emulator, capsys) as made:
        yield made


@pytest.fixture
def partner(account: Account, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Serves from an account of another tenant what was trained in ours."""
    from support.azure import serve_from_partner

    return lambda **rights: serve_from_partner(account, monkeypatch, **rights)


@pytest.fixture
def meanwhile() -> Iterator[Callable[..., None]]:
    """Does something in a thread as soon as a condition holds."""
    from support.azure import in_background

    with in_background() as begin:
        yield begin


# ---- a target with a field of six candidates


@pytest.fixture(scope="session")
def trained(running: tuple[Emulator, TrainedModels]) -> dict[str, Job]:
    from support.topics import WRONG, train_models

    return train_models(running[0], **WRONG)


@pytest.fixture
def field(tmp_path: Path, trained: dict[str, Job], emulator: Emulator) -> Iterator[Field]:
    from support.topics import field_on

    with field_on(Project(tmp_path), emulator, trained) as made:
        yield made


# ---- the project `letters`, on models in the test's own loop


@pytest.fixture(scope="module")
def listening() -> Iterator[socket.socket]:
    """Where a host listens whose address outlives a test: folders that a module makes once and copies name it."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


@pytest.fixture
async def host() -> AsyncIterator[ModelHost]:
    from support.letters import model_host

    async with model_host() as found:
        yield found


@pytest.fixture
def letters(tmp_path: Path, host: ModelHost) -> Letters:
    from support.letters import Letters

    return Letters(tmp_path, host)


# ---- two models that went live one after the other; made once, copied for each test


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    from support.promoted import two_promoted

    with two_promoted(tmp_path_factory.mktemp("promoted")) as made:
        yield made


@pytest.fixture
def place(original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    from support.promoted import copy_of

    copied = copy_of(original, tmp_path / "place")
    copied.enter(monkeypatch)
    return copied


# ---- a platform, publishers and a registry in files


@pytest.fixture
def clock() -> Clock:
    from support.clock import Clock

    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that can be: a killed process loses nothing there that it would keep on a disk."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="gatewright-", dir=memory) as name:
        yield Path(name)


@pytest.fixture
def open_world(folder: Path, clock: Clock) -> Iterator[Callable[[], World]]:
    """Opens the world of this test, again and again when asked; everything is closed at the end."""
    from support.file_platform import World

    opened = []

    def open_() -> World:
        opened.append(World(folder, now=clock))
        return opened[-1]

    yield open_
    for world in opened:
        world.close()


@pytest.fixture
def world(open_world: Callable[[], World]) -> World:
    return open_world()
