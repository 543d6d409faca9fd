"""A suite whose own expected answers can't pass is found before anything is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.paths import ROOT

from evals.config.yaml_lines import dump_yaml
from evals.suites.opened import open_suite
from evals.suites.reference_answers import unreached_scores


@pytest.fixture
def suite(tmp_path: Path) -> Any:
    def write(grader: dict[str, Any], *expected: Any) -> Any:
        text = {
            "version": 1,
            "name": "small",
            "prompt": [{"role": "user", "content": "{{ item.text }}"}],
            "graders": [{"name": "right", **grader}],
        }
        (tmp_path / "suite.yaml").write_text(dump_yaml(text))
        rows = [
            {"id": f"c{n}", "item": {"text": "?"}, "expected": one}
            for n, one in enumerate(expected)
        ]
        (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return open_suite(tmp_path)

    return write


@pytest.mark.parametrize(
    ("grader", "expected"),
    [
        ({"type": "exact"}, "billing"),
        ({"type": "exact", "field": "route"}, {"route": "billing"}),
        ({"type": "exact"}, {"route": "billing"}),
        ({"type": "contains", "field": "a.b"}, ["one", "two"]),
        ({"type": "numeric"}, 12.5),
        ({"type": "label", "labels": ["a", "b"], "field": "route"}, "a"),
        ({"type": "fields", "fields": ["a", "b.c"]}, {"a": 1, "b": {"c": "x"}}),
        ({"type": "regex"}, "^b"),
    ],
)
def test_graders_give_the_answers_that_their_cases_expect_the_best_score(
    suite: Any, grader: dict[str, Any], expected: Any
) -> None:
    assert unreached_scores(suite(grader, expected, expected)) == ()


def test_code_of_ones_own_that_gives_nothing_but_0_is_found(
    suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    code = "def never(case, response):\n    return 0.0, 'not like that'\n"
    code += "def right(case, response):\n    return float(response.text == case.expected)\n"
    (tmp_path / "own_reference_graders.py").write_text(code)
    broken = suite({"type": "custom", "entry_point": "own_reference_graders:never"}, "a", "b")
    (found,) = unreached_scores(broken)
    assert (found.grader, found.cases, found.tried, found.case_id) == ("right", 2, 2, "c0")
    assert found.reason == "not like that"
    sound = suite({"type": "custom", "entry_point": "own_reference_graders:right"}, "a", "b")
    assert unreached_scores(sound) == ()


def test_the_suites_of_the_project_can_be_passed() -> None:
    for folder in sorted((ROOT / "datasets").iterdir()):
        if (folder / "suite.yaml").exists():
            assert unreached_scores(open_suite(folder)) == (), folder
