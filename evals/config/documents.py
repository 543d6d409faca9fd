"""Files that people write: YAML, JSON and JSON lines, read so that every complaint can name file, line and field.

YAML is read with the rules of its version 1.2: only `true` and `false` are booleans (a language tag `no` stays text),
dates and `.nan` stay text, and a key given twice is refused instead of the last one winning.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from jsonschema import Draft202012Validator

from evals.codec import decode
from evals.config.schema_errors import compile_schema, own_schema, schema_problems
from evals.config.yaml_lines import read_yaml
from evals.errors import ConfigurationError, Problem

__all__ = [
    "MOST_PROBLEMS",
    "SCHEMAS",
    "Authored",
    "iter_jsonl",
    "load_json",
    "load_yaml",
    "parse_json",
    "parse_yaml",
    "raise_problems",
    "shown_path",
    "unreadable",
    "validate",
]

MOST_PROBLEMS = 50
SCHEMAS = Path(__file__).parents[1] / "schemas"


@dataclass(frozen=True, slots=True)
class Authored:
    """A document with where each of its fields stands. `lines` maps dotted paths to 1-based lines."""

    data: Any
    path: Path
    lines: Mapping[str, int] = field(default_factory=dict)

    def line(self, name: str) -> int | None:
        """Return the line of a field such as 'checks[0].slices', or of what encloses it; None when unknown."""
        while name not in self.lines and name:
            name = name[: max(name.rfind("."), name.rfind("["), 0)]
        return self.lines.get(name)


def load_yaml(path: Path) -> Authored:
    """Read a YAML mapping with the line of every field.

    Raises:
        ConfigurationError: the file is missing, is no UTF-8, no YAML or no mapping, or has a key twice.
    """
    return parse_yaml(_text(path), path)


def parse_yaml(text: str, path: Path) -> Authored:
    """Read YAML text as `load_yaml` does; `path` is what messages call it. Raises ConfigurationError."""
    data, lines = read_yaml(text, shown_path(path))
    return Authored(data, path, lines)


def load_json(path: Path) -> Authored:
    """Read a JSON file. Raises ConfigurationError naming line and column of what is wrong."""
    try:
        return Authored(parse_json(_text(path)), path)
    except _JsonError as error:
        _refuse_file(path, f"expected JSON; found {error}", error.line)


def iter_jsonl(
    path: Path, problems: list[Problem] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (1-based line, object) for every line that isn't blank, without holding the file in memory.

    A byte order mark before the first line is no part of it.

    A broken line becomes a problem in `problems` and is skipped; without a list it raises ConfigurationError.
    """
    found: list[Problem] = problems if problems is not None else []
    before = len(found)
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                raw = line.removeprefix(BOM_UTF8) if number == 1 else line
                if raw.strip():
                    value = _parse_line(path, number, raw, found)
                    if value is not None:
                        yield number, value
                if problems is None and len(found) > before:
                    raise ConfigurationError(found)
    except OSError as error:
        found.append(unreadable(path, error))
        if problems is None:
            raise ConfigurationError(found) from None


def validate(authored: Authored, schema: str | Mapping[str, Any], where: str | None = None) -> None:
    """Hold a document against a JSON Schema: the name of one in evals/schemas, or the schema itself.

    Raises:
        ConfigurationError: with every problem, each with its line, unknown keys with the nearest known one.
    """
    validator = (
        _named_validator(schema)
        if isinstance(schema, str)
        else compile_schema(schema, "the schema")
    )
    place = where or shown_path(authored.path)
    raise_problems(schema_problems(validator, authored.data, where=place, line=authored.line))


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise ConfigurationError with all problems, at most 50 and a count of the rest; return when there are none."""
    found = _in_file_order(problems)
    if not found:
        return
    rest = len(found) - MOST_PROBLEMS
    if rest > 0:
        last = Problem(where=found[-1].where, message=f"… and {rest} more problems")
        found = [*found[:MOST_PROBLEMS], last]
    raise ConfigurationError(found)


def _in_file_order(problems: Iterable[Problem]) -> list[Problem]:
    """Order by line within each file, the files as they came."""
    found = list(problems)
    files = {where: rank for rank, where in enumerate(dict.fromkeys(p.where for p in found))}
    return sorted(found, key=lambda problem: (files[problem.where], problem.line or 0))


def shown_path(path: Path) -> str:
    """Return a path as messages show it: from the working directory when it is below it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def parse_json(text: str | bytes) -> Any:
    """Parse strict JSON: no NaN, no infinity, no half surrogate, no key twice. Raises ValueError with line and column."""
    try:
        value = decode(text)
        # A second reading, because only the standard library shows every pair of an object.
        json.loads(text, object_pairs_hook=_unique)
    except (msgspec.DecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _explain_json(text, error) from None
    except RecursionError:
        raise _JsonError("values nested too deeply") from None
    return value


class _JsonError(ValueError):
    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        self.line = line
        super().__init__(message if column is None else f"{message} (column {column})")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _JsonError(f"the key '{twice}' twice")
    return found


def _explain_json(text: str | bytes, error: Exception) -> _JsonError:
    try:
        whole = text if isinstance(text, str) else text.decode()
        json.loads(whole, parse_constant=_no_constant)
    except UnicodeDecodeError as broken:
        return _JsonError("bytes that are no UTF-8", None, broken.start + 1)
    except json.JSONDecodeError as broken:
        reason = broken.msg[0].lower() + broken.msg[1:]
        return _JsonError(f"broken JSON: {reason}", broken.lineno, broken.colno)
    except ValueError as broken:
        return _JsonError(str(broken))
    return _JsonError(str(error))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which is no JSON")


def _parse_line(path: Path, number: int, raw: bytes, found: list[Problem]) -> dict[str, Any] | None:
    try:
        value = parse_json(raw.rstrip(b"\r\n"))
        message = f"found {_kind(value)}"
    except _JsonError as error:
        value, message = None, f"found {error}"
    if isinstance(value, dict):
        return value
    found.append(
        Problem(where=shown_path(path), line=number, message=f"expected a JSON object; {message}")
    )
    return None


def _kind(value: Any) -> str:
    names = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(unreadable(path, error)) from None
    except UnicodeDecodeError as error:
        _refuse_file(path, f"expected UTF-8 text; found other bytes at offset {error.start}")


def unreadable(path: Path, error: OSError) -> Problem:
    """Return what to say of a file that can't be opened."""
    reason = (
        "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error))
    )
    return Problem(where=shown_path(path), message=f"expected a readable file; found: {reason}")


def _refuse_file(path: Path, message: str, line: int | None = None) -> NoReturn:
    raise ConfigurationError(Problem(where=shown_path(path), line=line, message=message))


@lru_cache(maxsize=32)
def _named_validator(name: str) -> Draft202012Validator:
    path = SCHEMAS / f"{name}.schema.json"
    return own_schema(json.loads(path.read_text(encoding="utf-8")))
