"""A grader, a publisher and a platform are each added by one module and one entry of one table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evals.graders.table import GRADERS
from evals.suites.opened import open_suite
from flows.config.connections import platform_of
from flows.config.target import load_target
from flows.platforms.table import PLATFORMS
from flows.publishers.table import PUBLISHERS, build_publishers

PAGE = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text("utf-8")


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module that docs/plugins.md shows, as if it were one of ours."""
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    (tmp_path / "ours.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_a_grader_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GRADERS, "word_limit", "ours:WordLimitGrader")
    case = {"id": "a", "messages": [{"role": "user", "content": "?"}]}
    suite = {
        "version": 1,
        "name": "s",
        "graders": [{"name": "g", "type": "word_limit", "words": 3}],
    }
    (tmp_path / "cases.jsonl").write_text(json.dumps(case))
    (tmp_path / "suite.yaml").write_text(json.dumps(suite))
    assert [column.name for column in open_suite(tmp_path).graders[0].columns()] == ["g"]


def test_a_publisher_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ours  # type: ignore[import-not-found]

    monkeypatch.setitem(PUBLISHERS, "env", ours.ENV)  # type: ignore[arg-type]
    (made,) = build_publishers([{"env": {"variable": "X"}}], target="t", root=tmp_path)
    assert made.name == "acme_env X"


async def test_a_platform_is_one_entry_and_target_files_know_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PLATFORMS, "fleet", "ours:FLEET")  # type: ignore[arg-type]
    target = {"version": 1, "name": "t", "platform": "fleet", "suites": ["s"], "gate": "g"}
    (tmp_path / "t.yaml").write_text(json.dumps({**target, "fleet": {"team": "ml"}}))
    platform = platform_of(load_target(tmp_path, "t"))
    assert platform.data.address == "https://models.acme.example/ml/v1"
    await platform.aclose()
