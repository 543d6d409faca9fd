"""Turns authored rows into cases: keys checked, schema held, messages rendered, tags and cluster read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from jsonschema import Draft202012Validator

from evals.cases.formats import Row
from evals.cases.table import CaseTable
from evals.cases.templates import TemplateError, render_tree
from evals.codec import convert
from evals.config.schema_errors import schema_problems, shown
from evals.errors import Problem, closest, nearest
from evals.records import Case, Message

__all__ = ["FEW", "CaseReader", "Prompt"]

FEW = 3
"""So many cases are named one by one, even when all of a suite have the same fault."""

_KEYS = ("id", "item", "expected", "messages", "tags", "cluster", "note")


class Prompt:
    """A suite's prompt, and the file and line where it stands.

    Messages without a variable are made once and shared by all cases: these are `shared`.
    """

    def __init__(self, templates: list[dict[str, Any]], where: str, line: int | None) -> None:
        self.where = where
        self.line = line
        self._templates = templates
        self._fixed = [_fixed(template) for template in templates]
        self.shared = tuple(message for message in self._fixed if message is not None)

    def render(self, item: Mapping[str, Any]) -> tuple[Message, ...]:
        """Return the messages for one item. Raises TemplateError naming what the item lacks."""
        namespaces = {"item": item}
        return tuple(
            fixed if fixed is not None else _message(render_tree(template, namespaces))
            for template, fixed in zip(self._templates, self._fixed, strict=True)
        )


class _Unfilled(NamedTuple):
    """A case that can't fill the prompt: the problem noted of it, and its cause."""

    problem: Problem
    error: TemplateError


class CaseReader:
    """Reads rows one by one into `table`, and adds every problem to one list."""

    def __init__(
        self,
        *,
        where: str,
        prompt: Prompt | None,
        schema: Draft202012Validator | None,
        tags: tuple[str, ...],
        cluster_by: str | None,
        problems: list[Problem],
    ) -> None:
        self.table = CaseTable(shared=prompt.shared if prompt is not None else ())
        self._where = where
        self._prompt = prompt
        self._schema = schema
        self._tags = tags
        self._cluster_by = cluster_by
        self._problems = problems
        self._keys = dict.fromkeys((*_KEYS, cluster_by) if cluster_by else _KEYS)
        self._clustered: set[bool] = set()
        self._refused: dict[str, int] = {}
        self._unfilled: dict[str, list[_Unfilled]] = {}
        self._rows = 0

    def read(self, row: Row) -> None:
        """Put the case into the table, or note what is wrong with it.

        A case of which only the messages are wrong is put there too, so that the graders can say what they miss in it.
        """
        self._rows += 1
        before = len(self._problems)
        self._check_keys(row)
        self._check_id(row)
        if self._schema is not None and not self._schema.is_valid(row.data):
            self._problems.extend(
                schema_problems(
                    self._schema, row.data, where=self._where, line=lambda _field: row.line
                )
            )
        tags = self._read_tags(row)
        cluster = self._read_cluster(row)
        readable = len(self._problems) == before
        messages = self._read_messages(row)
        if not readable:
            self._refuse(row)
            return
        case = Case(
            id=row.data["id"],
            messages=messages,
            expected=row.data.get("expected"),
            item=row.data.get("item", {}),
            tags=tags,
            cluster=cluster,
        )
        self.table.add(case, row.line)

    def line(self, case_id: str) -> int | None:
        """Return the line on which an id was read first, whatever else was wrong there; None when it was not."""
        found = self.table.line(case_id)
        return self._refused.get(case_id) if found is None else found

    def _refuse(self, row: Row) -> None:
        case_id = row.data.get("id")
        if isinstance(case_id, str) and self.line(case_id) is None:
            self._refused[case_id] = row.line

    def finish(self) -> None:
        """Note what only shows when all rows are read: that there were none, or that none can fill the prompt."""
        if self._rows == 0 and not any(p.where == self._where for p in self._problems):
            self._note(None, None, "expected at least one case; found none")
        for found in self._unfilled.values():
            if len(found) == self._rows > FEW:
                self._blame_the_prompt(found)

    def _blame_the_prompt(self, found: list[_Unfilled]) -> None:
        """Say once, of the prompt, what would be said of every single case."""
        assert self._prompt is not None
        single = {id(unfilled.problem) for unfilled in found}
        self._problems[:] = [problem for problem in self._problems if id(problem) not in single]
        first = found[0].error
        self._problems.append(
            Problem(
                where=self._prompt.where,
                line=self._prompt.line,
                field="prompt",
                message=f"of {len(found)} cases none can fill it: {first}",
                fix=first.fix,
            )
        )

    def _check_keys(self, row: Row) -> None:
        for key in row.data:
            if key not in self._keys:
                fix = nearest(key, list(self._keys))
                self._note(row.line, key, f"unknown key '{key}'", fix)
        if not isinstance(row.data.get("item", {}), dict):
            self._note(row.line, "item", f"expected an object; found {shown(row.data['item'])}")

    def _check_id(self, row: Row) -> None:
        case_id = row.data.get("id")
        if not isinstance(case_id, str) or not case_id.strip():
            found = "none" if case_id is None else shown(case_id)
            self._note(row.line, "id", f"expected an id, as text; found {found}")
        elif (first := self.line(case_id)) is not None:
            self._note(
                row.line, "id", f"expected every id once; '{case_id}' is on line {first} too"
            )

    def _read_tags(self, row: Row) -> dict[str, str]:
        tags = row.data.get("tags", {})
        if not isinstance(tags, dict):
            self._note(row.line, "tags", f"expected an object; found {shown(tags)}")
            return {}
        for name, value in tags.items():
            if not isinstance(value, str) or not value:
                self._note(row.line, f"tags.{name}", f"expected text; found {shown(value)}")
        for name in self._tags:
            if name not in tags:
                near = closest(name, [tag for tag in tags if tag not in self._tags])
                fix = f"is it '{near}'?" if near else None
                self._note(row.line, f"tags.{name}", f"expected a tag '{name}'; found none", fix)
        return tags

    def _read_cluster(self, row: Row) -> str | None:
        if self._cluster_by is None:
            value = row.data.get("cluster")
            self._clustered.add(value is not None)
            if len(self._clustered) == 2:
                self._note(row.line, "cluster", "expected a cluster in every case or in none")
                self._clustered = {value is not None}
            return None if value is None else str(value)
        item = row.data.get("item")
        inner = item.get(self._cluster_by) if isinstance(item, dict) else None
        value = row.data.get(self._cluster_by, inner)
        if not isinstance(value, str | int) or value == "":
            found = "none" if value is None else shown(value)
            message = f"expected what cluster_by names, in the case or its item; found {found}"
            self._note(row.line, self._cluster_by, message)
        return str(value)

    def _read_messages(self, row: Row) -> tuple[Message, ...]:
        given = row.data.get("messages")
        if given is not None:
            return self._own_messages(row, given)
        item = row.data.get("item")
        if self._prompt is None:
            self._note(
                row.line,
                "messages",
                "expected messages, because the suite has no prompt; found none",
            )
            return ()
        try:
            return self._prompt.render(item if isinstance(item, dict) else {})
        except TemplateError as error:
            message = f"the prompt can't be filled: {error}"
            self._note(row.line, error.variable, message, error.fix)
            unfilled = _Unfilled(self._problems[-1], error)
            self._unfilled.setdefault(error.variable, []).append(unfilled)
            return ()

    def _own_messages(self, row: Row, given: Any) -> tuple[Message, ...]:
        if not isinstance(given, list) or not given:
            self._note(row.line, "messages", f"expected a list of messages; found {shown(given)}")
            return ()
        try:
            return tuple(_message(message) for message in given)
        except msgspec.ValidationError as error:
            self._note(row.line, "messages", f"expected chat messages; found: {error}")
            return ()

    def _note(
        self, line: int | None, field: str | None, message: str, fix: str | None = None
    ) -> None:
        self._problems.append(
            Problem(where=self._where, line=line, field=field, message=message, fix=fix)
        )


def _message(data: Any) -> Message:
    return convert(data, Message)


def _fixed(template: dict[str, Any]) -> Message | None:
    return None if "{{" in msgspec.json.encode(template).decode() else _message(template)
