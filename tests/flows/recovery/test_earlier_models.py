"""Which model `gatewright rollback --to …` goes to: what an operator types in a hurry, and what is refused."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from support.file_platform import World

from evals.errors import ConfigurationError
from flows.recovery.earlier_models import barred_model, earlier_model

TARGET = "triage"
FIRST = "gpt-4.1-mini-2025-04-14.ft-9b6f0c1d-v1"
SECOND = "gpt-4.1-mini-2025-04-14.ft-1c2d3e4f-v2"
TWIN = "gpt-4.1-nano-2025-04-14.ft-77aa88bb-v2"


@pytest.fixture(scope="module")
def three_promoted(tmp_path_factory) -> Path:
    """Generations 1, 2 and 3: two of the models bear the same name. Made once, copied for each test."""
    folder = tmp_path_factory.mktemp("three")
    world = World(folder)
    for number, model in enumerate((FIRST, SECOND, TWIN), start=1):
        asyncio.run(world.promote(f"triage-run-{number}", model))
    world.close()
    return folder


@pytest.fixture
def world(three_promoted, folder, open_world):
    shutil.copytree(three_promoted, folder, dirs_exist_ok=True)
    return open_world()


@pytest.fixture
def registry(world):
    return world.registry


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (FIRST, FIRST),
        ("1", FIRST),
        ("#2", SECOND),
        ("triage-run-2", SECOND),
        ("v1", FIRST),
        ("gpt-4.1-nano", TWIN),
        ("4f-v2", SECOND),
        ("  #1 ", FIRST),
    ],
)
def test_a_model_is_known_by_all_that_names_it_alone(registry, said, meant):
    assert earlier_model(registry, TARGET, said) == meant


@pytest.mark.parametrize(
    ("said", "listed"), [("v2", [TWIN, SECOND]), ("gpt-4.1-mini", [SECOND, FIRST])]
)
def test_what_names_several_is_refused_and_they_are_listed_newest_first(registry, said, listed):
    with pytest.raises(ConfigurationError, match="names several models") as refused:
        earlier_model(registry, TARGET, said)
    assert [line.split()[1] for line in str(refused.value).splitlines()[1:]] == listed
    assert refused.value.exit_code == 3


@pytest.mark.slow
@pytest.mark.parametrize("said", ["v9", "#7", "", "   ", "ft-9b6f", "triage-run"])
def test_what_names_nothing_is_refused_and_all_there_are_are_listed(registry, said):
    with pytest.raises(ConfigurationError, match="was never live") as refused:
        earlier_model(registry, TARGET, said)
    lines = str(refused.value).splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["#3", "#2", "#1"]
    assert "run triage-run-3" in lines[0]


def test_a_model_that_may_not_be_live_says_so_in_the_list(registry):
    registry.revoke(TARGET, FIRST, actor="ana", reason="leaks names")
    with pytest.raises(ConfigurationError, match=r"-v1  .*revoked by ana at .*: leaks names"):
        earlier_model(registry, TARGET, "v9")


def test_a_model_brought_back_is_listed_once(registry, world):
    world.adopt(FIRST)
    world.adopt(TWIN)
    with pytest.raises(ConfigurationError) as refused:
        earlier_model(registry, TARGET, "v9")
    assert [line.split()[0] for line in str(refused.value).splitlines()[1:]] == ["#5", "#4", "#2"]


def test_where_nothing_was_ever_live_that_is_said(open_world):
    with pytest.raises(ConfigurationError, match="nothing was ever live"):
        earlier_model(open_world().registry, TARGET, "1")


@pytest.mark.slow
@pytest.mark.parametrize("said", [FIRST, "v1", "#1", "triage-run-1", "9b6f0c1d-v1"])
def test_a_barred_model_is_known_by_the_same_names(registry, said):
    registry.revoke(TARGET, FIRST, actor="ana", reason="leaks names")
    assert barred_model(registry, TARGET, said, where="MODEL") == FIRST


async def test_a_model_refused_before_it_was_ever_live_is_known_by_name_and_run(registry, world):
    world.judge("triage-run-4", "gpt-4.1-nano-2025-04-14.ft-0badf00d-v4", "FAIL")
    await world.promote("triage-run-4", "gpt-4.1-nano-2025-04-14.ft-0badf00d-v4")
    for said in ("v4", "triage-run-4"):
        assert barred_model(registry, TARGET, said, where="MODEL").endswith("-v4")


def test_of_two_models_of_one_name_only_the_barred_one_is_meant(registry):
    registry.revoke(TARGET, TWIN, actor="ana", reason="leaks names")
    assert barred_model(registry, TARGET, "v2", where="MODEL") == TWIN


def test_what_nothing_bars_is_refused_with_all_that_is_barred(registry):
    with pytest.raises(ConfigurationError, match="no model is barred"):
        barred_model(registry, TARGET, "v1", where="MODEL")
    registry.revoke(TARGET, TWIN, actor="ana", reason="leaks names")
    registry.revoke(TARGET, FIRST, actor="ana", reason="leaks names")
    registry.reinstate(TARGET, FIRST, actor="bo", reason="it does not")
    with pytest.raises(ConfigurationError, match="nothing bars 'v1'") as refused:
        barred_model(registry, TARGET, "v1", where="MODEL")
    (line,) = str(refused.value).splitlines()[1:]
    assert line.split()[:2] == ["#3", TWIN]
