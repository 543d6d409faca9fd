"""`gatewright rollback --to` as an operator types it, against a real platform."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from flows.registry.opening import open_registry
from flows.settings import load_settings

TARGET = "teams"


def live() -> Any:
    with open_registry(load_settings()) as registry:
        return registry.live(TARGET)


@pytest.mark.slow
def test_going_back_to_a_warm_model_imports_nothing_that_takes_long(place: Any) -> None:
    """An SDK costs a second or two of what an application may wait for."""
    code = (
        "import sys; from flows.cli import run; code = run(sys.argv[1:]);"
        "print({m.split('.')[0] for m in sys.modules} & {*'prefect openai azure aiohttp litellm'"
        "' numpy pandas scipy sklearn'.split()}, file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "rollback", TARGET, "--reason", "wrong refunds"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.strip()) == (0, "set()"), done.stdout
    assert live().model_id.endswith("-v1")


@pytest.mark.parametrize("said", ["#1", "v1", "run"])
def test_the_earlier_model_goes_live_by_generation_name_or_run(
    place: Any, capsys: Any, said: str
) -> None:
    before = live()
    named = place.runs[0] if said == "run" else said
    assert place.run("rollback", TARGET, "--to", named, "--reason", "wrong refunds") == 0
    assert re.search(r"published \d\.\d\d s after the\s+switch", capsys.readouterr().out)
    assert live().generation == 3
    assert live().model_id.endswith("-v1")
    assert live().model_id != before.model_id
    assert json.loads(place.published.read_text())["model_id"] == live().model_id


def test_what_fits_no_model_or_several_exits_3_lists_them_and_changes_nothing(
    place: Any, capsys: Any
) -> None:
    for said, why in (("v7", "was never live"), ("gpt-4.1-mini", "names several models")):
        assert place.run("rollback", TARGET, "--to", said, "--reason", "x") == 3
        told = capsys.readouterr().err.splitlines()
        assert why in told[0]
        assert [line.split()[0] for line in told[1:]] == ["#2", "#1"]
    assert live().generation == 2
    with open_registry(load_settings()) as registry:
        assert registry.held(TARGET) is None


def test_going_back_to_what_is_live_says_so_and_of_no_hold(place: Any, capsys: Any) -> None:
    assert place.run("rollback", TARGET, "--to", "#2", "--reason", "looks odd") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "is live since" in told
    assert "it was published again" in told
    assert "on hold" not in told
    with open_registry(load_settings()) as registry:
        assert registry.held(TARGET) is None
