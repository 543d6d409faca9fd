"""Prompts from production: questions without an expected answer, read as the cases of a suite without graders."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from evals.cases.formats import Row
from evals.cases.reader import CaseReader
from evals.cases.suite_file import Suite
from evals.config.documents import iter_jsonl, raise_problems, shown_path
from evals.errors import Problem
from evals.graders.table import fingerprint
from evals.records import digest, encode
from evals.suites.opened import OpenedSuite

__all__ = ["read_prompts"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ANSWERS = ("expected", "completion", "output", "response")


def read_prompts(path: Path, taken: Collection[str]) -> OpenedSuite:
    """Read a JSON Lines file of prompts: `messages` in each line, an `id` if it has one, and `tags`.

    The set is called after the file; `taken` are the names that suites of the target have. A prompt without an id is known by its
    messages, so that the same one on two lines is asked once.

    Raises:
        ConfigurationError: with everything wrong in the file, by line and field.
    """
    problems: list[Problem] = []
    reader = CaseReader(
        where=shown_path(path),
        prompt=None,
        schema=None,
        tags=(),
        cluster_by=None,
        problems=problems,
    )
    for line, data in iter_jsonl(path, problems):
        _read(reader, path, Row(line, data), problems)
    reader.finish()
    problems += _name_problems(path, taken)
    raise_problems(problems)
    suite = Suite(
        name=path.stem,
        version=1,
        folder=path.parent,
        cases=reader.table,
        graders=(),
        tags=(),
        content_digest=digest([encode(case).decode() for case in reader.table.by_id()]),
        case_file=path,
    )
    return OpenedSuite(suite=suite, graders=(), fingerprint=fingerprint(suite, ()))


def _read(reader: CaseReader, path: Path, row: Row, problems: list[Problem]) -> None:
    if found := _complaint(row.data):
        field, message, fix = found
        where = shown_path(path)
        problems.append(Problem(where=where, line=row.line, field=field, message=message, fix=fix))
    if "id" not in row.data:
        name = "prompt-" + hashlib.sha256(encode(row.data.get("messages"))).hexdigest()[:16]
        if reader.line(name) is not None:
            return
        row = Row(row.line, {"id": name, **row.data})
    reader.read(Row(row.line, {k: v for k, v in row.data.items() if k not in _ANSWERS}))


def _complaint(data: dict[str, Any]) -> tuple[str, str, str] | None:
    """The field, the message and the fix of a line that is no prompt."""
    for key in _ANSWERS:
        if key in data:
            message = "expected a prompt alone; found an answer to it"
            return key, message, "leave it out, or make a suite of these cases"
    messages = data.get("messages")
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        return None  # the reader says what is wrong
    last = messages[-1]
    if last.get("role") == "assistant":
        message = "expected a message to be answered in the last place; found the assistant's own"
        return f"messages[{len(messages) - 1}]", message, "leave the model's answer out"
    if not last.get("content"):
        message = "expected something to be answered; found an empty message"
        return f"messages[{len(messages) - 1}].content", message, "leave the line out"
    return None


def _name_problems(path: Path, taken: Collection[str]) -> list[Problem]:
    where, name = shown_path(path), path.stem
    if not _NAME.fullmatch(name):
        message = f"expected a file named by lower-case letters, digits and hyphens, since its prompts are called after it; found '{path.name}'"
        return [Problem(where=where, message=message, fix="rename it, such as production.jsonl")]
    if name in taken:
        message = f"its prompts would be called '{name}', as a suite of the target is"
        return [Problem(where=where, message=message, fix="rename the file")]
    return []
