"""The world of the promotion tests; its module stands beside this file and is also run by the crash stories."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from support import file_platform


@pytest.fixture
def parts() -> ModuleType:
    """The module itself: verdict(), check(), BrokenPublisher, World."""
    return file_platform


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_(self, **span: float) -> None:
        self.time += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
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
def open_world(folder: Path, clock: Clock) -> Iterator[Callable[[], file_platform.World]]:
    """Opens the world of this test, again and again when asked; everything is closed at the end."""
    opened = []

    def open_() -> file_platform.World:
        opened.append(file_platform.World(folder, now=clock))
        return opened[-1]

    yield open_
    for world in opened:
        world.close()


@pytest.fixture
def world(open_world: Callable[[], file_platform.World]) -> file_platform.World:
    return open_world()
