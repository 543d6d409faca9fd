"""Suites: a folder with suite.yaml and its cases, read whole and checked whole before anything is asked.

What a case means is settled here: its messages are rendered, its tags and cluster read. What its expected answer has
to look like is the graders' affair (see `evals.suites.opened`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from evals.cases.formats import Row, read_rows
from evals.cases.reader import CaseReader, Prompt
from evals.cases.table import CaseTable
from evals.cases.templates import TemplateError, variables
from evals.config.documents import Authored, load_json, load_yaml, shown_path, validate
from evals.config.schema_errors import compile_schema
from evals.errors import ConfigurationError, Problem, nearest

__all__ = ["GraderSpec", "Suite", "read_suite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraderSpec:
    """One entry of a suite's `graders`: its options as authored, and its line in suite.yaml.

    `human_labels` names the file of what people said of the same answers; it changes no score, so it is none of the
    options.
    """

    name: str
    type: str
    params: Mapping[str, Any]
    line: int | None
    field: str = ""
    human_labels: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named set of cases with their graders.

    `version` is that of the file format. `content_digest` covers what is asked and what is expected: ids, messages,
    items, expected answers, tags, clusters, response format and tools, whatever the order of the cases. `cases` stand on
    disk and are decoded when asked for; they know their lines in `case_file`. `sampling` is what the suite declares; a
    target may override it. Single cases of a `sealed` suite are shown to approvers alone.
    """

    name: str
    version: int
    folder: Path
    cases: CaseTable
    graders: tuple[GraderSpec, ...]
    tags: tuple[str, ...]
    content_digest: str
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    repeats: int = 1
    training: Path | None = None
    cluster_by: str | None = None
    description: str = ""
    sealed: bool = False
    case_file: Path = Path("cases.jsonl")


def read_suite(folder: Path, problems: list[Problem]) -> Suite:
    """Read a suite, adding what is wrong with its cases to `problems`; what it returns is only good without any.

    Raises:
        ConfigurationError: suite.yaml itself is wrong, so that its cases can't be read.
    """
    authored = load_yaml(_manifest(folder))
    validate(authored, "suite")
    data = authored.data
    _check_grader_names(authored, problems)
    path, rows = _rows(authored, folder, problems)
    reader = CaseReader(
        where=shown_path(path),
        prompt=_prompt(authored, problems),
        schema=_schema(authored, folder, "case_schema", problems),
        tags=tuple(data.get("tags", ())),
        cluster_by=data.get("cluster_by"),
        problems=problems,
    )
    for row in rows:
        reader.read(row)
    reader.finish()
    response_format = _response_format(authored, folder, problems)
    tools = data.get("tools")
    return Suite(
        name=data["name"],
        version=data["version"],
        folder=folder,
        cases=reader.table,
        graders=tuple(_grader(authored, index) for index in range(len(data["graders"]))),
        tags=tuple(data.get("tags", ())),
        content_digest=_content_digest(reader.table, response_format, tools),
        response_format=response_format,
        tools=tools,
        sampling=data.get("sampling", {}),
        repeats=data.get("repeats", 1),
        training=_training(authored, folder, problems),
        cluster_by=data.get("cluster_by"),
        description=data.get("description", ""),
        sealed=data.get("sealed", False),
        case_file=path,
    )


def _manifest(folder: Path) -> Path:
    if folder.is_dir():
        return folder / "suite.yaml"
    siblings = [path.name for path in folder.parent.iterdir()] if folder.parent.is_dir() else []
    raise ConfigurationError(
        Problem(
            where=shown_path(folder),
            message="expected a suite's folder; found none",
            fix=nearest(folder.name, siblings),
        )
    )


def _prompt(authored: Authored, problems: list[Problem]) -> Prompt | None:
    """Read the prompt, and complain of a bad template once instead of once a case."""
    templates = authored.data.get("prompt")
    if templates is None:
        return None
    broken = list(_template_problems(authored, templates, "prompt"))
    problems.extend(broken)
    return Prompt([] if broken else templates, shown_path(authored.path), authored.line("prompt"))


def _template_problems(authored: Authored, value: Any, field: str) -> Iterator[Problem]:
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in entries:
            place = f"{field}[{key}]" if isinstance(key, int) else f"{field}.{key}"
            yield from _template_problems(authored, item, place)
    elif isinstance(value, str):
        try:
            strangers = [name for name in variables(value) if not name.startswith("item")]
        except TemplateError as error:
            strangers, message = [], str(error)
        else:
            message = f"expected variables of item; found '{strangers[0]}'" if strangers else ""
        if message:
            yield Problem(
                where=shown_path(authored.path),
                line=authored.line(field),
                field=field,
                message=message,
                fix="write {{ item.<field> }}",
            )


def _rows(authored: Authored, folder: Path, problems: list[Problem]) -> tuple[Path, Iterator[Row]]:
    declared = authored.data.get("cases", "cases.jsonl")
    layout: dict[str, Any] = {"file": declared} if isinstance(declared, str) else declared
    path = folder / layout["file"]
    return path, read_rows(path, layout, problems)


def _grader(authored: Authored, index: int) -> GraderSpec:
    entry = authored.data["graders"][index]
    place = f"graders[{index}]"
    params = {key: value for key, value in entry.items() if key not in _NO_OPTIONS}
    return GraderSpec(
        name=entry["name"],
        type=entry["type"],
        params=params,
        line=authored.line(place),
        field=place,
        human_labels=entry.get("human_labels"),
    )


_NO_OPTIONS = ("name", "type", "human_labels")


def _check_grader_names(authored: Authored, problems: list[Problem]) -> None:
    names = [entry["name"] for entry in authored.data["graders"]]
    for index, name in enumerate(names):
        if name in names[:index]:
            first = authored.line(f"graders[{names.index(name)}]")
            message = f"expected every grader's name once; '{name}' is on line {first} too"
            place = f"graders[{index}].name"
            problems.append(
                Problem(
                    where=shown_path(authored.path),
                    line=authored.line(place),
                    field=place,
                    message=message,
                )
            )


def _schema(authored: Authored, folder: Path, key: str, problems: list[Problem]) -> Any:
    """Compile the schema a key of suite.yaml names; None when there is none or it is broken."""
    name = authored.data.get(key)
    if name is None:
        return None
    try:
        return compile_schema(load_json(folder / name).data, shown_path(folder / name))
    except ConfigurationError as error:
        problems.extend(error.problems)
    except ValueError as error:
        problems.append(
            Problem(
                where=shown_path(authored.path),
                line=authored.line(key),
                field=key,
                message=str(error),
            )
        )
    return None


def _response_format(
    authored: Authored, folder: Path, problems: list[Problem]
) -> dict[str, Any] | None:
    declared: str | dict[str, Any] | None = authored.data.get("response_format")
    if not isinstance(declared, str):
        return declared
    if _schema(authored, folder, "response_format", problems) is None:
        return None
    schema = load_json(folder / declared).data
    name = str(authored.data["name"]).replace("-", "_")
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "strict": True, "schema": schema},
    }


def _training(authored: Authored, folder: Path, problems: list[Problem]) -> Path | None:
    name = authored.data.get("training")
    if name is None:
        return None
    path: Path = folder / name
    if not path.is_file():
        problems.append(
            Problem(
                where=shown_path(authored.path),
                line=authored.line("training"),
                field="training",
                message=f"expected a file; found no {shown_path(path)}",
            )
        )
    return path


def _content_digest(cases: CaseTable, response_format: Any, tools: Any) -> str:
    """Digest of the cases in the order of their ids, so that moving a line in the file changes nothing."""
    total = hashlib.sha256()
    encoder = msgspec.json.Encoder(order="sorted")
    total.update(encoder.encode({"response_format": response_format, "tools": tools}))
    for case in cases.by_id():
        total.update(b"\n" + encoder.encode(case))
    return "sha256:" + total.hexdigest()
