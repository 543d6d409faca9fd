"""The service, a stand-in for Prefect and the embedded platform. How they are made stands in tests/support."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.judged import TARGET, Story, triage_project
from support.prefect_stand_in import PrefectStandIn, prefect_stand_in
from support.project import Project
from support.service import OTHER_SECRET, SECRET, TOKEN, Platform, Service, in_thread

from flows.emulator.server import Emulator
from flows.orchestration import processes
from flows.registry.store import Registry
from flows.service.config import ServiceConfig
from flows.settings import Settings


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return triage_project(tmp_path)


@pytest.fixture
def settings(project: Project) -> Settings:
    return project.settings


@pytest.fixture
def add_target(project: Project) -> Callable[[str], object]:
    return lambda name: project.write_target(name, TARGET.format(name=name))


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    with Registry.open(settings.registry_url) as opened:
        yield opened


@pytest.fixture
def story(registry: Registry, settings: Settings) -> Story:
    return Story(registry, settings)


@pytest.fixture
def prefect() -> Iterator[PrefectStandIn]:
    with prefect_stand_in() as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def trained_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with Emulator(tmp_path_factory.mktemp("emulator"), provisioning_s=0.05) as emulator:
        yield Platform(emulator)


@pytest.fixture
def platform(trained_platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Shared by all tests, and so are its finished jobs: a test may not change it."""
    monkeypatch.setenv("GATEWRIGHT_EMBEDDED_URL", trained_platform.url)
    return trained_platform


@pytest.fixture
def own_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    with Emulator(tmp_path / "emulator", provisioning_s=0.05) as emulator:
        monkeypatch.setenv("GATEWRIGHT_EMBEDDED_URL", emulator.url)
        yield Platform(emulator)


@pytest.fixture
def secrets() -> tuple[str, str]:
    """Ours, and one that is not."""
    return SECRET, OTHER_SECRET


@pytest.fixture
def config(prefect: PrefectStandIn) -> ServiceConfig:
    return ServiceConfig(webhook_secrets=(SECRET,), prefect_url=prefect.url, own_token=TOKEN)


@pytest.fixture
def service(settings: Settings, config: ServiceConfig, registry: Registry) -> Iterator[Service]:
    with in_thread(settings, config) as url:
        yield Service(url, registry, TOKEN)


@pytest.fixture
def free_port() -> int:
    return processes.free_port()
