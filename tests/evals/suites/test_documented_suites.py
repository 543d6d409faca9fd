"""The suites that docs/suites.md shows can be opened."""

from __future__ import annotations

import re
from pathlib import Path

from evals.config.documents import parse_yaml
from evals.config.yaml_lines import dump_yaml
from evals.suites.opened import open_suite

PAGE = (Path(__file__).parents[3] / "docs" / "suites.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_first_example_is_a_whole_suite(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "cases.jsonl").write_text(blocks("json")[0])
    opened = open_suite(tmp_path)
    assert len(opened.suite.cases) == 2
    assert "urgency.macro_f1" in opened.graders[1].metrics()


def test_the_table_is_a_suite(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(blocks("csv")[0])
    suite = {
        "version": 1,
        "name": "table",
        "cases": "cases.csv",
        "prompt": [{"role": "user", "content": "{{ item.text }}"}],
        "graders": [{"name": "intent", "type": "label"}],
    }
    (tmp_path / "suite.yaml").write_text(dump_yaml(suite))
    assert [case.expected for case in open_suite(tmp_path).suite.cases] == ["billing", "bug"]


def test_every_other_example_is_yaml_of_known_keys() -> None:
    known = [{"cases"}, {"sealed"}, {"approvers"}]
    for block in blocks("yaml")[1:]:
        assert set(parse_yaml(block, Path("suites.md")).data) in known
