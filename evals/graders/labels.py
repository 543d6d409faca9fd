"""The classification grader: one label an answer, held against the true one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from evals.config.schema_errors import shown
from evals.errors import nearest
from evals.graders.base import (
    INVALID_LABEL,
    CaseProblem,
    Column,
    GraderBase,
    ParameterError,
    Parameters,
)
from evals.graders.parsing import NOTHING, answer_with, at, fault, parse_answer, simplified
from evals.records import Case, Response, Score

__all__ = ["LabelGrader"]


class LabelOptions(Parameters, frozen=True, kw_only=True):
    """`field`: where the label stands in the answer's JSON and in `expected`; without it the whole answer is the label.

    `labels`: all there are; without them those that occur in the suite's cases. `normalise` ignores case and spacing.
    """

    field: str | None = None
    labels: list[str] | None = None
    normalise: bool = False


@dataclass(slots=True)
class LabelGrader(GraderBase):
    """Yields truth and prediction; an answer without a known label predicts "(invalid)"."""

    Options = LabelOptions
    _labels: tuple[str, ...] = field(init=False)
    _known: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        declared = self.options.labels
        if declared is None:
            truths = (self._truth(case) for case in self.context.suite.cases)
            declared = sorted({truth for truth in truths if truth is not None})
        self._labels = tuple(declared)
        self._known = {self._form(label): label for label in self._labels}
        if len(self._known) != len(self._labels) or INVALID_LABEL in self._labels:
            raise ParameterError(
                f"expected different labels, none of them {INVALID_LABEL}", "labels"
            )
        if self.options.labels is not None and len(self._labels) < 2:
            raise ParameterError("expected at least two labels", "labels")

    def columns(self) -> tuple[Column, ...]:
        return (Column(name=self.name, kind="label", labels=self._labels),)

    def check(self, case: Case) -> Iterator[CaseProblem]:
        truth = self._truth(case)
        place = f"expected.{self.options.field}" if self.options.field else "expected"
        if not truth:
            found = "none" if case.expected in (None, "") else shown(case.expected)
            yield CaseProblem(field=place, message=f"expected a label, as text; found {found}")
        elif self._form(truth) not in self._known:
            message = (
                f"expected one of the declared labels of grader '{self.name}'; found '{truth}'"
            )
            yield CaseProblem(field=place, message=message, fix=nearest(truth, self._labels))

    def grade(self, case: Case, response: Response) -> tuple[Score, ...]:
        truth = self.truth(case)
        reason = fault(response)
        predicted = INVALID_LABEL
        if reason is None:
            predicted, reason = self._predicted(response)
        score = Score(
            case_id=response.case_id,
            repeat=response.repeat,
            grader=self.name,
            version=self.version,
            value=float(predicted == truth),
            truth=truth,
            predicted=predicted,
            reason=reason,
        )
        return (score,)

    def truth(self, case: Case) -> str:
        """Return the label that the case's answer should have, whether or not there is an answer."""
        return self._known[self._form(self._truth(case) or "")]

    def reference(self, case: Case) -> str:
        """Return the true label as an answer."""
        return answer_with(self.truth(case), self.options.field)

    def _predicted(self, response: Response) -> tuple[str, str]:
        answer: object = response.text
        if self.options.field is not None:
            answer = at(parse_answer(response.text), self.options.field)
        elif isinstance(answer, str):
            answer = answer.strip()
        if answer is NOTHING:
            return INVALID_LABEL, f"the answer has no field '{self.options.field}'"
        if not isinstance(answer, str) or self._form(answer) not in self._known:
            return INVALID_LABEL, f"no known label: {shown(answer)}"
        return self._known[self._form(answer)], ""

    def _truth(self, case: Case) -> str | None:
        path = self.options.field
        truth = case.expected
        if path is not None and isinstance(truth, dict):
            truth = at(truth, path)
        return truth if isinstance(truth, str) and truth else None

    def _form(self, label: str) -> str:
        return str(simplified(label)) if self.options.normalise else label
