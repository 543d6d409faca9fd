"""What people said of answers that a judge judged, read from the file a suite names for the judge's grader.

A label holds for one answer, so it is bound to the case and to the digest of the answer's text: the same words said
again by another model, or in a later run, have the label too; other words have none.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

from evals.cases.formats import format_of, read_rows
from evals.cases.suite_file import Suite
from evals.config.documents import load_json, shown_path
from evals.config.schema_errors import own_schema, schema_problems
from evals.errors import Problem
from evals.graders.base import Grader
from evals.graders.judges.label_scale import HumanScale
from evals.records import Record, Response, encode

__all__ = ["HumanLabel", "HumanLabels", "answer_digest", "read_human_labels", "text_digest"]

_SCHEMA = Path(__file__).parents[1] / "schemas" / "human_label.schema.json"
_ID = "case_id"


class HumanLabel(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What one person said of one answer, as values in [0, 1] by column of the judge's grader."""

    case_id: str
    answer: str
    values: dict[str, float]
    who: str = ""


class HumanLabels(Record, frozen=True, kw_only=True, omit_defaults=True):
    """All labels for one judge. `waiting` counts rows of the file that nobody has filled in yet."""

    grader: str
    labels: tuple[HumanLabel, ...] = ()
    waiting: int = 0

    def by_answer(self) -> dict[tuple[str, str], dict[str, float]]:
        """Return what people said of each (case id, answer digest): the mean of several people, by column."""
        judgements: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
        for label in self.labels:
            judgements[label.case_id, label.answer].append(label.values)
        return {
            answer: {column: fmean(one[column] for one in found) for column in found[0]}
            for answer, found in judgements.items()
        }


def text_digest(text: str) -> str:
    """Return the digest by which an answer of plain text is known."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def answer_digest(response: Response) -> str:
    """Return the digest by which an answer is known: of its text, and of the tools it calls where it does."""
    text = response.text or ""
    if not response.tool_calls:
        return text_digest(text)
    return text_digest(f"{text}\n{encode(response.tool_calls).decode()}")


def read_human_labels(
    suite: Suite, graders: tuple[Grader, ...], problems: list[Problem]
) -> dict[str, HumanLabels]:
    """Read the labels that a suite names, by grader. What is wrong with them is added to `problems`."""
    found = {}
    by_name = {grader.name: grader for grader in graders}
    for spec in suite.graders:
        if spec.human_labels is None or spec.name not in by_name:
            continue
        grader, place = by_name[spec.name], f"{spec.field}.human_labels"
        scale = getattr(grader, "human_scale", None)
        path = suite.folder / spec.human_labels
        message, fix = "", None
        if scale is None:
            message = f"grader '{spec.name}' judges nothing that people could judge in its place"
            fix = "human labels go with judge, score_model and label_model"
        elif not path.is_file():
            message = f"expected a file; found no {shown_path(path)}"
            fix = f"draw answers to be labelled: gatewright suite labels RUN --grader {spec.name}"
        if message:
            where = shown_path(suite.folder / "suite.yaml")
            problems.append(
                Problem(where=where, line=spec.line, field=place, message=message, fix=fix)
            )
        elif scale is not None:
            found[spec.name] = _Reader(suite, spec.name, path, scale(), problems).read()
    return found


class _Reader:
    """Reads one file of labels."""

    def __init__(
        self,
        suite: Suite,
        grader: str,
        path: Path,
        scale: HumanScale,
        problems: list[Problem],
    ) -> None:
        self.suite, self.grader, self.path = suite, grader, path
        self.scale, self.problems = scale, problems
        self._first: dict[tuple[str, str, str], int] = {}

    def read(self) -> HumanLabels:
        labels, waiting = [], 0
        for line, data in self._rows():
            before = len(self.problems)
            self._check(line, data)
            if len(self.problems) > before:
                continue
            if data.get("label") is None and data.get("score") is None:
                waiting += 1
            elif (label := self._label(line, data)) is not None:
                labels.append(label)
        return HumanLabels(grader=self.grader, labels=tuple(labels), waiting=waiting)

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        table = format_of(self.path, {}) != "jsonl"
        layout = {"id": _ID} if table else {}
        for row in read_rows(self.path, layout, self.problems):
            yield row.line, _from_table(row.data) if table else row.data

    def _check(self, line: int, data: dict[str, Any]) -> None:
        where = shown_path(self.path)
        self.problems.extend(schema_problems(_validator(), data, where=where, line=lambda _: line))
        case_id = data.get(_ID)
        if isinstance(case_id, str) and self.suite.cases.row(case_id) is None:
            self._problem(line, _ID, f"the suite has no case '{case_id}'")

    def _label(self, line: int, data: Mapping[str, Any]) -> HumanLabel | None:
        digest = data.get("answer_digest") or text_digest(data["answer"])
        who = data.get("who") or ""
        key = (data[_ID], digest, who)
        if key in self._first:
            again = f"the same answer was labelled by the same person on line {self._first[key]}"
            self._problem(line, "who", again, "keep one of them, or say by who who said it")
            return None
        self._first[key] = line
        try:
            value = self.scale.read(data.get("label"), data.get("score"))
        except ValueError as error:
            self._problem(line, "label" if self.scale.labels else "score", str(error))
            return None
        values = {self.grader: value}
        if self.scale.threshold is not None:
            values[f"{self.grader}.passed"] = self.scale.passes(value)
        return HumanLabel(case_id=data[_ID], answer=digest, values=values, who=who)

    def _problem(self, line: int, field: str, message: str, fix: str | None = None) -> None:
        where = shown_path(self.path)
        self.problems.append(Problem(where=where, line=line, field=field, message=message, fix=fix))


def _from_table(data: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table as the object it stands for: empty cells are no values, a score is a number where it is one."""
    row = {_ID: data.get("id"), **(data.get("item") or {})}
    found = {key: value for key, value in row.items() if value not in ("", None)}
    score = found.get("score")
    if isinstance(score, str):
        with suppress(ValueError):  # the schema says what was expected
            found["score"] = float(score)
    if "answer" not in found and "answer_digest" not in found and "answer" in row:
        found["answer"] = ""
    return found


@lru_cache(maxsize=1)
def _validator() -> Any:
    return own_schema(load_json(_SCHEMA).data)
