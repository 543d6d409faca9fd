"""Graders of structured output: is the answer JSON of the right shape, and are its fields right?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

from evals.config.documents import load_json, shown_path
from evals.config.schema_errors import compile_schema, shown
from evals.errors import ConfigurationError
from evals.graders.base import CaseProblem, Column, GraderBase, ParameterError, Parameters
from evals.graders.parsing import (
    NOTHING,
    at,
    fault,
    json_equal,
    parse_answer,
    same_text,
    simplified,
)
from evals.records import Case, Response, Score

__all__ = ["FieldsGrader", "JsonSchemaGrader"]


class JsonSchemaOptions(Parameters, frozen=True, kw_only=True):
    """`schema`: a JSON Schema, or the name of a file in the suite's folder that holds one."""

    schema: str | dict[str, Any]


@dataclass(slots=True)
class JsonSchemaGrader(GraderBase):
    """1 when the whole answer is strict JSON that fits the schema, else 0."""

    Options = JsonSchemaOptions
    _validator: Draft202012Validator = field(init=False)

    def __post_init__(self) -> None:
        schema = _schema(self.options.schema, self)
        self.identity = {"schema": schema}
        try:
            self._validator = compile_schema(schema, "the schema")
        except ValueError as error:
            raise ParameterError(str(error), "schema") from None

    def grade(self, case: Case, response: Response) -> tuple[Score, ...]:
        reason = fault(response)
        if reason is None:
            reason = self._mismatch(parse_answer(response.text))
        return (self.value(response, reason is None, reason or ""),)

    def _mismatch(self, answer: Any) -> str | None:
        if answer is NOTHING:
            return "the answer is not JSON"
        if self._validator.is_valid(answer):
            return None
        error = next(self._validator.iter_errors(answer))
        return f"{error.json_path}: {error.message}"[:300]


class FieldsOptions(Parameters, frozen=True, kw_only=True):
    """`fields`: what is compared, as paths in both `expected` and the answer. `normalise` ignores case and spacing."""

    fields: list[str]
    normalise: bool = False


@dataclass(slots=True)
class FieldsGrader(GraderBase):
    """Compares fields of the answer's JSON with `expected`: one score for all being right, and one for each."""

    Options = FieldsOptions

    def __post_init__(self) -> None:
        if not self.options.fields:
            raise ParameterError("expected at least one field; found none", "fields")
        if len(set(self.options.fields)) != len(self.options.fields):
            raise ParameterError("expected every field once", "fields")

    def columns(self) -> tuple[Column, ...]:
        names = (self.name, *(f"{self.name}.{path}" for path in self.options.fields))
        return tuple(Column(name=name) for name in names)

    def check(self, case: Case) -> Iterator[CaseProblem]:
        if not isinstance(case.expected, dict):
            found = "none" if case.expected is None else shown(case.expected)
            yield CaseProblem(field="expected", message=f"expected an object; found {found}")
            return
        for path in self.options.fields:
            if at(case.expected, path) in (NOTHING, ""):
                yield CaseProblem(
                    field=f"expected.{path}", message="expected the right answer; found none"
                )

    def reference(self, case: Case) -> str | None:
        """Return the expected object as an answer."""
        return same_text(case.expected) if isinstance(case.expected, dict) else None

    def grade(self, case: Case, response: Response) -> tuple[Score, ...]:
        reason = fault(response)
        answer = NOTHING if reason else parse_answer(response.text)
        if reason is None and not isinstance(answer, dict):
            reason = "the answer is not a JSON object"
        complaints = {
            path: reason or self._mismatch(case.expected, answer, path)
            for path in self.options.fields
        }
        wrong = reason or "; ".join(text for text in complaints.values() if text)
        return (
            self.value(response, not wrong, wrong),
            *(
                self._score(f"{self.name}.{path}", response, float(not text), text or "")
                for path, text in complaints.items()
            ),
        )

    def _mismatch(self, expected: Any, answer: Any, path: str) -> str | None:
        wanted, found = at(expected, path), at(answer, path)
        if found is NOTHING:
            return f"{path}: expected {shown(wanted)}; the answer has none"
        alike = (
            json_equal(simplified(wanted), simplified(found))
            if self.options.normalise
            else json_equal(wanted, found)
        )
        return None if alike else f"{path}: expected {shown(wanted)}; found {shown(found)}"


def _schema(option: str | dict[str, Any], grader: GraderBase) -> Any:
    if isinstance(option, dict):
        return option
    path = grader.context.suite.folder / option
    try:
        return load_json(path).data
    except ConfigurationError as error:
        raise ParameterError(
            f"can't read {shown_path(path)}: {error.problems[0].message}", "schema"
        ) from None
