"""The demo's three training files: the same bytes every time, and the third with answers that got mixed up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rich.console import Console
from support.paths import ROOT
from support.project import Project

from evals.errors import ConfigurationError
from flows.demo.state import close_demo, open_demo
from flows.demo.training_data import VERSIONS, training_file


def examples(name: str) -> dict[str, Any]:
    """Answers by question."""
    (version,) = (one for one in VERSIONS if one.name == name)
    content = training_file(ROOT / "datasets", version)
    assert content == training_file(ROOT / "datasets", version)
    rows = [json.loads(line)["messages"] for line in content.splitlines()]
    return {json.dumps(row[:-1]): row[-1]["content"] for row in rows}


def test_the_first_model_sees_fewer_examples_and_the_third_wrong_answers() -> None:
    first, second, third = (examples(name) for name in ("v1", "v2", "v3"))
    assert 0.3 < len(first) / len(second) < 0.5
    assert set(third) == set(second)
    wrong = sum(third[question] != second[question] for question in second) / len(second)
    assert 0.1 < wrong <= 0.35
    assert all(second[question] == answer for question, answer in first.items())


def test_a_story_that_was_broken_off_goes_on_and_one_that_ended_is_set_aside(
    project: Project,
) -> None:
    console = Console(quiet=True)
    begun, again = open_demo(project.settings, console)
    assert not again
    assert open_demo(project.settings, console) == (begun, True)
    close_demo(project.settings, begun)
    fresh, again = open_demo(project.settings, console)
    assert not again
    assert fresh.webhook_secret != begun.webhook_secret
    assert len(list(project.folder.glob("home-*"))) == 1


def test_the_demo_never_moves_into_somebodys_installation(project: Project) -> None:
    project.home.mkdir()
    (project.home / "notes.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="an installation that is not the demo's"):
        open_demo(project.settings, Console(quiet=True))
