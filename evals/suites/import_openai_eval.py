"""Brings an OpenAI eval home: its definition, a run of it and its data become a suite's folder.

The definition says how answers are graded; what is asked stands in a run's `data_source`. Graders are kept as they are
(OpenAI's JSON is what suite.yaml holds for them), templates too. What can't run here is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from evals.config.documents import iter_jsonl, load_json, raise_problems, shown_path, validate
from evals.config.yaml_lines import dump_yaml
from evals.errors import Problem
from evals.files import replace_file
from evals.suites.import_eval_runs import DataSourceReader, judge_notes

__all__ = ["Imported", "import_eval"]

_TYPES = ("label_model", "multi", "python", "score_model", "string_check", "text_similarity")
_GENERATED = re.compile(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import wrote. `notes` says what was left out or changed."""

    folder: Path
    cases: int
    graders: tuple[str, ...]
    notes: tuple[str, ...]


def import_eval(
    definition: Path, data: Path | None, folder: Path, *, run: Path | None = None
) -> Imported:
    """Write a suite's folder from an eval.

    Args:
        definition: JSON of an eval, as it was created or as the API gives it back.
        data: JSON lines of {"item": {…}}, or of the items themselves; None when the run holds them itself.
        folder: where the suite goes; must not exist, or be empty.
        run: JSON of a run of the eval, for the messages and the sampling parameters. Without it the definition has to
            hold a `data_source`, or every item `messages`.

    Raises:
        ConfigurationError: with everything that can't be imported; nothing is written then.
    """
    reader = _Reader(definition, run)
    items = list(reader.items(data))
    suite = reader.suite(folder.name, items)
    cases = [reader.case(number, item) for number, item in enumerate(items, start=1)]
    if folder.exists() and any(folder.iterdir()):
        reader.note_problem(folder, None, "expected a new or an empty folder; found files in it")
    raise_problems(reader.problems)
    _write(folder, suite, cases, reader.case_schema())
    names = tuple(grader["name"] for grader in suite["graders"])
    return Imported(folder=folder, cases=len(cases), graders=names, notes=tuple(reader.notes))


class _Reader:
    def __init__(self, definition: Path, run: Path | None) -> None:
        self.path = definition
        self.definition = _object(definition)
        self.run = _object(run) if run is not None else {}
        source = self.run.get("data_source") or self.definition.get("data_source")
        self.source: dict[str, Any] = source or {}
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.asking = DataSourceReader(run or definition, self.source, self.problems, self.notes)
        self._ids: set[str] = set()

    def note_problem(self, path: Path, field: str | None, message: str) -> None:
        self.problems.append(Problem(where=shown_path(path), field=field, message=message))

    def items(self, data: Path | None) -> Iterator[dict[str, Any]]:
        """Yield the items, of the data file or of the run's own content."""
        if data is not None:
            rows = [row for _, row in iter_jsonl(data, self.problems)]
        else:
            rows = (self.source.get("source") or {}).get("content") or []
        if not rows and not self.problems:
            where = data or self.path
            self.note_problem(where, None, "expected at least one item; found none")
        if any("sample" in row for row in rows):
            self.notes.append("answers that came with the data are left out: models are asked anew")
        for row in rows:
            item = row.get("item", row)
            if isinstance(item, dict):
                yield item
            else:
                self.note_problem(data or self.path, "item", "expected every item to be an object")

    def suite(self, fallback: str, items: list[dict[str, Any]]) -> dict[str, Any]:
        """Return what goes into suite.yaml."""
        name = re.sub(r"[^a-z0-9]+", "-", str(self.definition.get("name") or fallback).lower())
        suite: dict[str, Any] = {"version": 1, "name": name.strip("-")[:63] or "imported"}
        prompt = self.asking.prompt(items)
        if prompt is not None:
            suite["prompt"] = prompt
        if self._item_schema() is not None:
            suite["case_schema"] = "case.schema.json"
        suite["graders"] = list(self._graders())
        suite |= self.asking.settings()
        if suite["name"] != fallback:
            self.notes.append(
                f"gates and reports call the suite '{suite['name']}', targets by its folder"
            )
        self.notes += judge_notes(suite["graders"])
        return suite

    def case(self, number: int, item: dict[str, Any]) -> dict[str, Any]:
        """Return one case. An id of the item is kept when it is text and the only one of its kind."""
        own = item.get("id")
        name = own if isinstance(own, str) and own not in self._ids else f"item-{number:06}"
        self._ids.add(name)
        case: dict[str, Any] = {"id": name, "item": item}
        messages = self.asking.messages(item)
        if messages is not None:
            case["messages"] = messages
        return case

    def case_schema(self) -> dict[str, Any] | None:
        """Return the schema of a case: that of its item, one level up."""
        item = self._item_schema()
        if item is None:
            return None
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": ["id", "item"],
            "properties": {"item": item},
        }

    def _item_schema(self) -> dict[str, Any] | None:
        config = self.definition.get("data_source_config") or {}
        whole = config.get("schema") or {}
        schema = config.get("item_schema") or (whole.get("properties") or {}).get("item")
        return schema or None

    def _graders(self) -> Iterator[dict[str, Any]]:
        criteria = self.definition.get("testing_criteria")
        if not criteria:
            self.note_problem(
                self.path, "testing_criteria", "expected at least one grader; found none"
            )
            return
        taken: set[str] = set()
        for index, criterion in enumerate(criteria):
            kind = criterion.get("type")
            if kind not in _TYPES:
                message = f"a grader of type {kind!r} can't run here (known: {', '.join(_TYPES)})"
                self.note_problem(self.path, f"testing_criteria[{index}].type", message)
                continue
            name = self._name(criterion, taken)
            dropped = ("id", "name", "type")
            rest = {k: v for k, v in criterion.items() if k not in dropped and v is not None}
            yield {"name": name, "type": kind, **rest}

    def _name(self, criterion: Mapping[str, Any], taken: set[str]) -> str:
        given = str(criterion.get("name") or criterion["type"])
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", _GENERATED.sub("", given)).strip("_-")[:60]
        name = name if name[:1].isalpha() else f"{criterion['type']}_{name}".rstrip("_")
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique)
        if unique != given:
            self.notes.append(f"grader '{given}' is called '{unique}' here")
        return unique


def _object(path: Path) -> dict[str, Any]:
    authored = load_json(path)
    validate(authored, "openai_eval")
    found: dict[str, Any] = authored.data
    return found


def _write(
    folder: Path,
    suite: dict[str, Any],
    cases: list[dict[str, Any]],
    schema: dict[str, Any] | None,
) -> None:
    replace_file(folder / "suite.yaml", dump_yaml(suite).encode())
    lines = b"".join(msgspec.json.encode(case) + b"\n" for case in cases)
    replace_file(folder / "cases.jsonl", lines)
    if schema is not None:
        text = msgspec.json.format(msgspec.json.encode(schema), indent=2)
        replace_file(folder / "case.schema.json", text + b"\n")
