"""Whatever a file holds, it is a suite, or wrong in words: nothing else comes out of reading it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from evals.config.yaml_lines import dump_yaml
from evals.errors import ConfigurationError
from evals.suites.import_chat import import_chat
from evals.suites.import_openai_eval import import_eval
from evals.suites.opened import open_suite
from evals.suites.overlap import training_overlap

PROMPT = [{"role": "user", "content": "{{ item.text }}"}]
GRADERS = [{"name": "e", "type": "exact"}, {"name": "l", "type": "label"}]
KEYS = st.sampled_from(
    ["id", "item", "expected", "messages", "tags", "cluster", "text", "role", "content", "item.text"]
)  # fmt: skip
EVAL_KEYS = st.sampled_from(
    ["name", "type", "data_source_config", "schema", "properties", "item", "item_schema", "testing_criteria", "graders",
     "input", "operation", "reference", "data_source", "source", "content", "input_messages", "template", "role", "text",
     "item_reference", "sampling_params", "response_format", "tools", "reasoning", "format", "model", "labels"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["user", "assistant", "template", "item_reference", "item.text", "completions", "responses", "string_check", "multi",
     "score_model", "python", "text_similarity", "{{item.text}}", "{{", "eq", ""]
)  # fmt: skip


def data(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers(-9, 9) | WORDS | st.text(max_size=4)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
        max_leaves=16,
    )


LIKELY = st.fixed_dictionaries(
    {"id": WORDS | st.integers(), "item": st.fixed_dictionaries({"text": data(KEYS)}) | data(KEYS)},
    optional={"expected": data(KEYS), "messages": st.lists(data(KEYS), max_size=2), "tags": data(KEYS)},
)  # fmt: skip
TURN = st.fixed_dictionaries({"role": WORDS, "content": data(KEYS)}) | data(KEYS)
EXAMPLE = st.fixed_dictionaries({"messages": st.lists(TURN, max_size=3)}) | data(KEYS)
CHECK = st.fixed_dictionaries(
    {"type": st.just("string_check"), "name": WORDS, "input": WORDS, "reference": WORDS, "operation": st.just("eq")}
)  # fmt: skip
EVAL = st.fixed_dictionaries(
    {},
    optional={
        "name": data(EVAL_KEYS),
        "data_source_config": data(EVAL_KEYS),
        "testing_criteria": st.lists(
            st.fixed_dictionaries({"type": WORDS, "name": data(EVAL_KEYS)}, optional={"graders": data(EVAL_KEYS)})
            | CHECK
            | data(EVAL_KEYS),
            max_size=3,
        )
        | data(EVAL_KEYS),
    },
)  # fmt: skip
SOURCE = st.fixed_dictionaries(
    {"type": WORDS},
    optional={
        "source": st.fixed_dictionaries({"content": st.lists(data(EVAL_KEYS), max_size=3)}) | data(EVAL_KEYS),
        "input_messages": st.fixed_dictionaries(
            {"type": WORDS}, optional={"template": st.lists(TURN, max_size=2), "item_reference": WORDS}
        )
        | data(EVAL_KEYS),
        "sampling_params": data(EVAL_KEYS),
    },
)  # fmt: skip


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def opens_or_says_why(path: Path) -> None:
    try:
        open_suite(path)
    except ConfigurationError as error:
        assert all(problem.where and problem.message for problem in error.problems)


def write_suite(path: Path, **more: Any) -> None:
    suite = {"version": 1, "name": "s", "prompt": PROMPT, "graders": GRADERS} | more
    (path / "suite.yaml").write_text(dump_yaml(suite), encoding="utf-8")


def lines(rows: list[Any]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


@given(st.lists(LIKELY | data(KEYS), max_size=4).map(lines) | st.binary(max_size=60))
def test_any_lines_are_cases_or_said_to_be_none(content: bytes) -> None:
    with folder() as path:
        write_suite(path)
        (path / "cases.jsonl").write_bytes(content)
        opens_or_says_why(path)


@given(
    st.lists(st.lists(st.text("ab,\"\r\n'{[", max_size=5) | KEYS, max_size=4), max_size=4).map(
        lambda rows: b"id,text,expected\n" + "\n".join(map(",".join, rows)).encode()
    )
    | st.binary(max_size=60)
)
def test_any_table_holds_cases_or_is_said_to_be_broken(content: bytes) -> None:
    with folder() as path:
        write_suite(path, cases="cases.csv")
        (path / "cases.csv").write_bytes(content)
        opens_or_says_why(path)


@given(st.lists(EXAMPLE, max_size=4).map(lines) | st.binary(max_size=60))
def test_any_fine_tuning_file_is_a_suite_or_said_to_be_none(content: bytes) -> None:
    with folder() as path:
        (path / "held.jsonl").write_bytes(content)
        try:
            import_chat(path / "held.jsonl", path / "made")
        except ConfigurationError as error:
            assert error.problems
        else:
            opens_or_says_why(path / "made")
        write_suite(path, training="held.jsonl")
        (path / "cases.jsonl").write_text('{"id": "a", "item": {"text": "x"}, "expected": "y"}')
        opens_or_says_why(path)
        try:
            training_overlap(open_suite(path).suite, path / "held.jsonl")
        except ConfigurationError as error:
            assert error.problems


@given(
    EVAL | data(EVAL_KEYS),
    SOURCE.map(lambda source: {"data_source": source}) | data(EVAL_KEYS),
    st.none() | st.lists(data(EVAL_KEYS) | LIKELY, max_size=3).map(lines),
)
def test_any_eval_is_imported_or_said_to_be_wrong(
    definition: Any, run: Any, items: bytes | None
) -> None:
    with folder() as path:
        (path / "eval.json").write_text(json.dumps(definition))
        (path / "run.json").write_text(json.dumps(run))
        if items is not None:
            (path / "items.jsonl").write_bytes(items)
        try:
            import_eval(
                path / "eval.json",
                None if items is None else path / "items.jsonl",
                path / "made",
                run=path / "run.json",
            )
        except ConfigurationError as error:
            assert all(problem.where and problem.message for problem in error.problems)
            assert not (path / "made").exists()
        else:
            opens_or_says_why(path / "made")
