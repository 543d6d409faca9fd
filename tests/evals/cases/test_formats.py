"""CSV, Parquet and fine-tuning files give the same cases as JSON lines would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evals.cases.suite_file import Suite
from evals.config.yaml_lines import dump_yaml
from evals.errors import ConfigurationError
from evals.suites.opened import open_suite

PROMPT = [{"role": "user", "content": "{{ item.text }}"}]
LABEL = [{"name": "intent", "type": "label"}]


def suite_of(folder: Path, cases: Any, **more: Any) -> Suite:
    data = {
        "version": 1,
        "name": "table",
        "prompt": PROMPT,
        "graders": LABEL,
        "cases": cases,
        **more,
    }
    (folder / "suite.yaml").write_text(dump_yaml({k: v for k, v in data.items() if v is not None}))
    return open_suite(folder).suite


def problems(folder: Path, cases: Any, **more: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        suite_of(folder, cases, **more)
    return str(caught.value)


def test_a_csv_file_is_a_suite_by_the_names_of_its_columns(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(
        'id,text,expected,tags.language\nq1,How do I pay?,billing,en\nq2,"It crashes,\nalways",bug,\n'
    )
    suite = suite_of(tmp_path, "c.csv")
    first, second = suite.cases
    assert (first.id, first.expected, first.tags, first.item) == (
        "q1",
        "billing",
        {"language": "en"},
        {"text": "How do I pay?"},
    )
    assert second.messages[0].content == "It crashes,\nalways"
    assert second.tags == {}


def test_columns_of_other_names_are_mapped(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(
        "no,text,right,lang,customer\n7,hello,bug,en,x\n8,bye,how_to,en,x\n"
    )
    layout = {
        "file": "c.csv",
        "id": "no",
        "expected": {"category": "right"},
        "tags": {"language": "lang"},
    }
    graders = [{"name": "category", "type": "label", "field": "category"}]
    suite = suite_of(tmp_path, layout, graders=graders, cluster_by="customer", tags=["language"])
    assert suite.cases[0].expected == {"category": "bug"}
    assert suite.cases[0].cluster == "x"
    assert suite.cases[0].id == "7"


def test_a_cell_may_hold_a_json_object(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text('id,text,expected\nq1,x,"{""a"": 1}"\nq2,x,{not json\n')
    graders = [{"name": "whole", "type": "contains", "text": "a"}]
    assert [case.expected for case in suite_of(tmp_path, "c.csv", graders=graders).cases] == [
        {"a": 1},
        "{not json",
    ]


def test_problems_of_a_csv_file_name_the_line_where_the_row_begins(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text('id,text,expected\nq1,"two\nlines",a\nq1,x,b\nq3,x\n,x,b\n')
    text = problems(tmp_path, "c.csv")
    assert "c.csv:4: field 'id': expected every id once; 'q1' is on line 2 too" in text
    assert "c.csv:5: expected 3 columns; found 2" in text
    assert "c.csv:6: field 'id': expected an id, as text" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"number,text,expected\nq1,x,a\n", "expected a column 'id'; found none"),
        (b"id,id,text\nq1,q,x\n", "expected every column once"),
        (b"id,text,expected\nq1,\xff,a\n", "c.csv: expected UTF-8 text; found other bytes"),
        (b'id,text,expected\nq1,"x"y,a\n', "c.csv:2: expected CSV; found: "),
        (
            b'id,text,expected\nq1,x,a\nq2,"x,a\nq3,x,a\n',
            "c.csv:3: expected CSV; found: a quote that is opened in this row and never closed",
        ),
        (b"id,text,expected\nq1,a, b,c\n", 'a cell that holds a comma or a quote is written "so"'),
        (b"", "expected at least one case; found none"),
    ],
)
def test_a_csv_file_that_cannot_be_read_is_a_problem(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "c.csv").write_bytes(content)
    assert said in problems(tmp_path, "c.csv")


def test_a_parquet_file_is_a_suite(tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {
            "id": [1, 2],
            "text": ["a", "b"],
            "n": [1.5, None],
            "parts": [["x"], ["y", "z"]],
            "expected": ["p", "q"],
        }
    )
    frame.to_parquet(tmp_path / "c.parquet")
    first, second = suite_of(tmp_path, "c.parquet").cases
    assert first.id == "1"
    assert first.item == {"text": "a", "n": 1.5, "parts": ["x"]}
    assert second.item == {"text": "b", "parts": ["y", "z"]}


def test_a_broken_parquet_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "c.parquet").write_bytes(b"not parquet")
    assert "expected a Parquet file" in problems(tmp_path, "c.parquet")
    assert "none.parquet: expected a readable file; found: no such file" in problems(
        tmp_path, "none.parquet"
    )


CHAT = {
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "hi {{x}}"},
        {"role": "assistant", "content": '{"intent": "greet"}', "weight": 1},
    ]
}


def test_a_fine_tuning_file_is_a_suite_as_it_is(tmp_path: Path) -> None:
    other = {
        "messages": [
            {"role": "user", "content": "bye"},
            {"role": "assistant", "content": '{"intent": "part"}'},
        ]
    }
    (tmp_path / "t.jsonl").write_text(json.dumps(CHAT) + "\n" + json.dumps(other) + "\n")
    graders = [{"name": "intent", "type": "label", "field": "intent"}]
    first, second = suite_of(
        tmp_path, {"file": "t.jsonl", "format": "chat"}, graders=graders, prompt=None
    ).cases
    assert [message.content for message in first.messages] == ["s", "hi {{x}}"]
    assert (first.expected, second.expected) == ({"intent": "greet"}, {"intent": "part"})
    assert first.id.startswith("chat-")


def test_the_same_question_twice_in_a_fine_tuning_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps(CHAT) + "\n" + json.dumps(CHAT) + "\n")
    assert "expected every id once" in problems(tmp_path, {"file": "t.jsonl", "format": "chat"})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"messages": [{"role": "user", "content": "x"}]}, "a question and an answer"),
        (
            {"messages": [{"role": "assistant", "content": "x"}, {"role": "user", "content": "x"}]},
            "the last message to be the assistant's",
        ),
        ({"messages": ["a", "b"]}, "every message to be an object"),
        ({"input": {}, "preferred_output": []}, "preference tuning"),
        ({"messages": CHAT["messages"], "label": 1}, "unknown key 'label'"),
    ],
)
def test_a_line_that_is_no_example_is_a_problem(tmp_path: Path, line: dict, said: str) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps(line) + "\n")
    text = problems(tmp_path, {"file": "t.jsonl", "format": "chat"})
    assert f"t.jsonl:1: {'' if 'unknown' in said else 'expected'}" in text
    assert said in text
