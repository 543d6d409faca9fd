"""A registry in which runs were judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.judged import Story, triage_project

from flows.registry.store import Registry
from flows.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return triage_project(tmp_path).settings


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    with Registry.open(settings.registry_url) as opened:
        yield opened


@pytest.fixture
def story(registry: Registry, settings: Settings) -> Story:
    return Story(registry, settings)
