"""Where cases come from: every kind of file as one stream of rows of the same shape.

JSON lines are taken as they are. A table (CSV, Parquet) gives `id`, `expected` and `tags` from the columns that
`cases:` in suite.yaml names, or from those called `id`, `expected`, `expected.<field>` and `tags.<name>`; all its
other columns become the `item`. An OpenAI chat fine-tuning file gives one case a line: the last assistant message is
what is expected, what stands before it is asked.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from evals.codec import decode
from evals.config.documents import iter_jsonl, shown_path, unreadable
from evals.errors import Problem, missing_library, nearest

__all__ = ["Row", "format_of", "read_rows"]

_SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}
_QUOTE = 'a cell that holds a comma or a quote is written "so", a quote in it as ""'
_CHAT_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")


class Row(NamedTuple):
    """One case as authored, with its 1-based line (its row's number in a Parquet file)."""

    line: int
    data: dict[str, Any]


def format_of(path: Path, layout: Mapping[str, Any]) -> str:
    """Return the format of a case file: the declared one, else by its suffix, else JSON lines."""
    return str(layout.get("format") or _SUFFIXES.get(path.suffix.lower(), "jsonl"))


def read_rows(path: Path, layout: Mapping[str, Any], problems: list[Problem]) -> Iterator[Row]:
    """Yield the rows of a case file; what can't be read becomes a problem.

    `layout` is the `cases:` entry of suite.yaml: file, and optionally format, id, expected and tags.
    """
    kind = format_of(path, layout)
    if kind == "csv":
        yield from _table(path, layout, _csv_records(path, problems), problems)
    elif kind == "parquet":
        yield from _table(path, layout, _parquet_records(path, problems), problems)
    elif kind == "chat":
        yield from _chat(path, problems)
    else:
        for line, data in iter_jsonl(path, problems):
            yield Row(line, data)


def _csv_records(path: Path, problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    # The standard library's reader, because it knows on which line of the file a record begins.
    begins = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            if len(set(header)) != len(header):
                _note(problems, path, 1, "expected every column once")
                return
            begins = reader.line_num + 1
            for values in reader:
                if values and len(values) != len(header):
                    message = f"expected {len(header)} columns; found {len(values)}"
                    fix = _QUOTE if len(values) > len(header) else None
                    _note(problems, path, begins, message, fix)
                elif values:
                    yield begins, dict(zip(header, values, strict=True))
                begins = reader.line_num + 1
    except csv.Error as error:
        reason = str(error)
        if "unexpected end" in reason:
            reason = "a quote that is opened in this row and never closed"
        _note(problems, path, begins, f"expected CSV; found: {reason}", _QUOTE)
    except OSError as error:
        problems.append(unreadable(path, error))
    except UnicodeDecodeError as error:
        message = f"expected UTF-8 text; found other bytes at offset {error.start}"
        _note(problems, path, None, message, "save it as CSV UTF-8")


def _parquet_records(path: Path, problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    missing = missing_library(
        "pyarrow", "parquet", needed_by="a Parquet file", where=shown_path(path)
    )
    if missing:
        problems.append(missing)
        return
    import pandas as pd  # half a second, and only tables need it

    try:
        frame = pd.read_parquet(path)
    except FileNotFoundError as error:
        problems.append(unreadable(path, error))
        return
    except (OSError, ValueError) as error:
        _note(problems, path, None, f"expected a Parquet file; found: {error}")
        return
    columns = [str(column) for column in frame.columns]
    for number, values in enumerate(frame.itertuples(index=False, name=None), start=1):
        record = {
            name: plain
            for name, value in zip(columns, values, strict=True)
            if (plain := _plain(value)) is not None
        }
        yield number, record


def _plain(value: Any) -> Any:
    """Return a value of a data frame as JSON data, None when it is missing."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    return None if value is None or value != value else value


def _table(
    path: Path,
    layout: Mapping[str, Any],
    records: Iterable[tuple[int, dict[str, Any]]],
    problems: list[Problem],
) -> Iterator[Row]:
    shape: _Shape | None = None
    for line, record in records:
        if shape is None:
            shape = _Shape(layout, list(record))
            missing = [column for column in shape.named if column not in record]
            for column in missing:
                message = f"expected a column '{column}'; found none"
                _note(problems, path, line, message, nearest(column, list(record)))
            if missing:
                return
        yield Row(line, shape.row(record))


class _Shape:
    """Which column of a table goes where."""

    def __init__(self, layout: Mapping[str, Any], columns: list[str]) -> None:
        self.id = layout.get("id", "id")
        declared = layout.get("expected")
        self.whole = declared if isinstance(declared, str) else None
        self.fields = dict(declared) if isinstance(declared, Mapping) else {}
        if declared is None:
            self.whole = "expected" if "expected" in columns else None
            self.fields = _prefixed(columns, "expected.")
        tags = layout.get("tags", _prefixed(columns, "tags."))
        self.tags = dict(tags) if isinstance(tags, Mapping) else {name: name for name in tags}
        named = (self.id, self.whole, *self.fields.values(), *self.tags.values())
        self.named = tuple(column for column in named if column is not None)

    def row(self, record: Mapping[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = {
            "id": _id(record.get(self.id)),
            "item": {key: value for key, value in record.items() if key not in self.named},
            "tags": {tag: str(record[c]) for tag, c in self.tags.items() if record.get(c)},
        }
        if self.whole is not None:
            data["expected"] = _cell(record.get(self.whole))
        elif self.fields:
            data["expected"] = {
                field: record[column] for field, column in self.fields.items() if column in record
            }
        return data


def _prefixed(columns: list[str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): name for name in columns if name.startswith(prefix)}


def _id(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _cell(value: Any) -> Any:
    """Read a cell that holds a JSON object or list as such; any other stays text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return decode(value)
        except msgspec.DecodeError:
            return value
    return value


def _chat(path: Path, problems: list[Problem]) -> Iterator[Row]:
    for line, data in iter_jsonl(path, problems):
        complaint = _chat_complaint(data)
        if complaint is not None:
            _note(problems, path, line, complaint)
            continue
        *asked, answer = [
            {key: value for key, value in message.items() if key != "weight"}
            for message in data["messages"]
        ]
        name = hashlib.sha256(msgspec.json.encode(asked, order="sorted")).hexdigest()[:12]
        expected = (
            {"tool_calls": answer["tool_calls"]}
            if answer.get("tool_calls")
            else _cell(answer.get("content"))
        )
        yield Row(line, {"id": f"chat-{name}", "messages": asked, "expected": expected})


def _chat_complaint(data: Mapping[str, Any]) -> str | None:
    messages = data.get("messages")
    if "preferred_output" in data:
        return "expected a chat fine-tuning example; found one for preference tuning"
    if not isinstance(messages, list) or len(messages) < 2:
        return "expected 'messages' with a question and an answer"
    if not all(isinstance(message, dict) for message in messages):
        return "expected every message to be an object"
    if messages[-1].get("role") != "assistant":
        return "expected the last message to be the assistant's, which is what is graded against"
    unknown = [key for key in data if key not in _CHAT_KEYS]
    return f"unknown key '{unknown[0]}'" if unknown else None


def _note(
    problems: list[Problem], path: Path, line: int | None, message: str, fix: str | None = None
) -> None:
    problems.append(Problem(where=shown_path(path), line=line, message=message, fix=fix))
