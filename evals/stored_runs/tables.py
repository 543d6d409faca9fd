"""The tables of a stored run: their columns with dtypes, and rows made from the records that the run keeps.

Text has the dtype `string`, columns with few different values are `category`, and counts that may be missing `Int64`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import pandas as pd

from evals.evaluation.evaluation import Evaluation
from evals.gate.looks import LookEvent
from evals.graders.judges.llm_judge import conversation
from evals.records import CheckResult, Response

__all__ = ["answer_table", "case_table", "check_table", "look_table", "score_table"]

_BLOCK = 20_000  # rows that are Python objects at the same time

_KEY = {"role": "category", "suite": "category", "case_id": "string", "repeat": "int32"}
_ANSWER = {
    "model_id": "category",
    "outcome": "category",
    "text": "string",
    "tool_calls": "string",
    "finish_reason": "category",
    "latency_ms": "float64",
    "prompt_tokens": "Int64",
    "completion_tokens": "Int64",
    "attempts": "int32",
    "reused": "bool",
    "error": "string",
}
_SCORE = {
    "grader": "category",
    "version": "category",
    "value": "float64",
    "predicted": "category",
    "truth": "category",
    "reason": "string",
}
_CASE = {
    "suite": "category",
    "case_id": "string",
    "prompt": "string",
    "expected": "string",
    "cluster": "string",
    "weight": "float64",
}
_CHECK = {
    "check": "string",
    "metric": "string",
    "kind": "category",
    "suite": "string",
    "slice": "string",
    "outcome": "category",
    "decides": "bool",
    "n": "int64",
    "threshold": "float64",
    "candidate": "float64",
    "baseline": "float64",
    "estimate": "float64",
    "lower": "float64",
    "upper": "float64",
    "confidence": "float64",
    "method": "string",
    "reason": "string",
}
_LOOK = {"look": "int32", "decided": "bool", "futile": "bool", "counted": "bool"}

_Row = tuple[Any, ...]


def case_table(evaluation: Evaluation) -> pd.DataFrame:
    """A row for each case of each suite; for every tag a column `tag.<name>`."""
    tags = dict.fromkeys(name for opened in evaluation.suites for name in opened.suite.cases.tags)
    rows = (
        (
            opened.suite.name,
            case.id,
            conversation(case),
            _text(case.expected),
            case.cluster,
            case.weight,
            *(case.tags.get(name) for name in tags),
        )
        for opened in evaluation.suites
        for case in opened.suite.cases
    )
    return _table(_CASE | {f"tag.{name}": "category" for name in tags}, rows)


def answer_table(evaluation: Evaluation) -> pd.DataFrame:
    """A row for each (role, suite, case, repeat) that was answered."""
    rows = (
        (role, opened.suite.name, one.case_id, one.repeat, *_answer(one))
        for role in evaluation.roles
        for opened in evaluation.suites
        for one in evaluation.responses(role, opened.suite.name)
    )
    return _table(_KEY | _ANSWER, rows)


def score_table(evaluation: Evaluation) -> pd.DataFrame:
    """A row for each (role, suite, case, repeat, grader) that was scored."""
    rows = (
        (role, opened.suite.name, one.case_id, one.repeat, *_fields(one, _SCORE))
        for role in evaluation.roles
        for opened in evaluation.suites
        for one in evaluation.scores(role, opened)
    )
    return _table(_KEY | _SCORE, rows)


def check_table(checks: Iterable[CheckResult]) -> pd.DataFrame:
    """A row for each check."""
    return _table(_CHECK, map(_check, checks))


def look_table(events: Iterable[LookEvent]) -> pd.DataFrame:
    """A row for each check at each look."""
    rows = (
        (event.look, one.decided, one.futile, one.counted, *_check(one.result))
        for event in events
        for one in event.checks
    )
    return _table(_LOOK | _CHECK, rows)


def _table(columns: Mapping[str, str], rows: Iterator[_Row]) -> pd.DataFrame:
    """Build a table block by block; categories differ between blocks and are therefore found at the end."""
    plain = {name: "string" if kind == "category" else kind for name, kind in columns.items()}
    blocks = [pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in plain.items()})]
    while block := list(islice(rows, _BLOCK)):
        blocks.append(pd.DataFrame(block, columns=list(columns)).astype(plain))
    whole = pd.concat(blocks[1:] or blocks, ignore_index=True)
    return whole.astype({name: kind for name, kind in columns.items() if kind == "category"})


def _fields(record: Any, names: Iterable[str]) -> _Row:
    return tuple(getattr(record, name) for name in names)


def _answer(one: Response) -> _Row:
    special = {
        "tool_calls": _text(one.tool_calls),
        "prompt_tokens": one.usage.prompt_tokens if one.usage else None,
        "completion_tokens": one.usage.completion_tokens if one.usage else None,
    }
    return tuple(special[name] if name in special else getattr(one, name) for name in _ANSWER)


def _check(one: CheckResult) -> _Row:
    where = ", ".join(f"{tag}={value}" for tag, value in one.slice.items())
    return tuple(where if name == "slice" else getattr(one, name) for name in _CHECK)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
