"""`gatewright rollback --to` as an operator types it, against a real platform."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flows.settings import load_settings
from flows.stores import open_registry

TARGET = "teams"


def live() -> Any:
    with open_registry(load_settings()) as registry:
        return registry.live(TARGET)


@pytest.mark.parametrize("said", ["#1", "v1", "run"])
def test_the_earlier_model_goes_live_by_generation_name_or_run(place: Any, said: str) -> None:
    before = live()
    named = place.runs[0] if said == "run" else said
    assert place.gatewright("rollback", TARGET, "--to", named, "--reason", "wrong refunds") == 0
    assert live().generation == 3
    assert live().model_id.endswith("-v1")
    assert live().model_id != before.model_id
    assert json.loads(place.published.read_text())["model_id"] == live().model_id


def test_what_fits_no_model_or_several_exits_3_lists_them_and_changes_nothing(
    place: Any, capsys: Any
) -> None:
    for said, why in (("v7", "was never live"), ("gpt-4.1-mini", "names several models")):
        assert place.gatewright("rollback", TARGET, "--to", said, "--reason", "x") == 3
        told = capsys.readouterr().err.splitlines()
        assert why in told[0]
        assert [line.split()[0] for line in told[1:]] == ["#2", "#1"]
    assert live().generation == 2
    with open_registry(load_settings()) as registry:
        assert registry.held(TARGET) is None
