"""The table of platforms: one entry is all that a new platform needs, and what it says of a platform is true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evals.errors import ConfigurationError
from flows.config import target as targets
from flows.config.connections import platform_of
from flows.config.target import load_target
from flows.platforms import table
from flows.platforms.base import PlatformKind, ServesByModelId
from flows.platforms.openai import OpenAIPlatform, read_openai_options
from flows.platforms.table import PLATFORMS, open_platform, platform_kind

TARGET = """
version: 1
name: router
platform: {platform}
{platform}: {{base_url: http://127.0.0.1:1}}
suites: [cases]
gate: strict
"""


class OwnServer(OpenAIPlatform):
    """A server of one's own that speaks the API of OpenAI."""


OWN_SERVER = PlatformKind(
    lambda options, env: OwnServer(read_openai_options(options), env),
    read_openai_options,
    needs_deployment=False,
)


@pytest.fixture
def own_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for module in (table, targets):
        entries = {**PLATFORMS, "own_server": f"{__name__}:OWN_SERVER"}
        monkeypatch.setattr(module, "PLATFORMS", entries)
    monkeypatch.setattr(table, "resolve_name", lambda _address: OWN_SERVER)
    targets._validator.cache_clear()
    yield "own_server"
    targets._validator.cache_clear()


def _written(folder: Path, platform: str) -> Path:
    (folder / "router.yaml").write_text(TARGET.format(platform=platform))
    return folder


def test_an_entry_in_the_table_is_all_that_a_target_needs_to_name_a_platform(
    own_server: str, tmp_path: Path
) -> None:
    target = load_target(_written(tmp_path, own_server), "router")
    assert isinstance(platform_of(target), OwnServer)
    assert target.production.sku == ""


def test_a_platform_without_an_entry_is_refused_with_all_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="azure_openai, embedded, openai"):
        load_target(_written(tmp_path, "own_server"), "router")


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_needs_deployments_unless_it_serves_models_by_their_ids(name: str) -> None:
    options = {"subscription": "s", "resource_group": "g", "account": "a"}
    platform = open_platform(name, options if name == "azure_openai" else {}, {})
    assert platform_kind(name).needs_deployment is not isinstance(platform, ServesByModelId)
