"""The multi-label grader: several labels an answer, held as a set against the true ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from evals.config.schema_errors import shown
from evals.errors import nearest
from evals.graders.base import CaseProblem, Column, GraderBase, ParameterError, Parameters
from evals.graders.parsing import NOTHING, at, fault, parse_answer, simplified
from evals.records import Case, Response, Score

__all__ = ["MultiLabelGrader"]

Labels = frozenset[str]


class MultiLabelOptions(Parameters, frozen=True, kw_only=True):
    """`field`: where the list stands in the answer's JSON and in `expected`; without it the answer is the list.

    `separator`: read text instead of JSON, split at this. `labels`: all there are. `normalise` ignores case and spacing.
    """

    field: str | None = None
    labels: list[str] | None = None
    separator: str | None = None
    normalise: bool = False


@dataclass(slots=True)
class MultiLabelGrader(GraderBase):
    """Yields whether the sets are equal, and per case their Jaccard index, F1, precision and recall.

    The mean of the per-case F1 is what scikit-learn calls average="samples". Two empty sets are equal: all 1. A label
    nobody declared counts as a wrong one.
    """

    Options = MultiLabelOptions
    _known: frozenset[str] | None = field(init=False)

    def __post_init__(self) -> None:
        declared = self.options.labels
        self._known = None if declared is None else frozenset(map(self._form, declared))
        if declared is not None and len(self._known or ()) != len(declared):
            raise ParameterError("expected different labels", "labels")

    def columns(self) -> tuple[Column, ...]:
        return tuple(
            Column(name=name)
            for name in (
                self.name,
                *(f"{self.name}.{part}" for part in _shares(Labels(), Labels())),
            )
        )

    def check(self, case: Case) -> Iterator[CaseProblem]:
        place = f"expected.{self.options.field}" if self.options.field else "expected"
        truth = self._truth(case)
        if truth is None:
            message = f"expected a list of labels; found {shown(case.expected)}"
            yield CaseProblem(field=place, message=message)
            return
        for label in sorted(truth - self._known) if self._known is not None else ():
            message = (
                f"expected one of the declared labels of grader '{self.name}'; found '{label}'"
            )
            yield CaseProblem(
                field=place, message=message, fix=nearest(label, sorted(self._known or ()))
            )

    def grade(self, case: Case, response: Response) -> tuple[Score, ...]:
        truth = self._truth(case) or Labels()
        reason = fault(response)
        predicted = None if reason else self._predicted(response)
        if predicted is None:
            reason = reason or "the answer is no list of labels"
            shares = dict.fromkeys(_shares(truth, truth), 0.0)
        else:
            shares = _shares(truth, predicted)
            missing, extra = sorted(truth - predicted), sorted(predicted - truth)
            reason = (
                "" if predicted == truth else f"missing {shown(missing)}, too many {shown(extra)}"
            )
        equal = predicted is not None and predicted == truth
        return (
            self.value(response, equal, reason),
            *(
                self._score(f"{self.name}.{part}", response, value, reason)
                for part, value in shares.items()
            ),
        )

    def _truth(self, case: Case) -> Labels | None:
        value = case.expected
        if self.options.field is not None and isinstance(value, dict):
            value = at(value, self.options.field)
        return self._labels(value)

    def _predicted(self, response: Response) -> Labels | None:
        if self.options.separator is not None and self.options.field is None:
            return self._labels(response.text)
        answer = parse_answer(response.text)
        return self._labels(
            answer if self.options.field is None else at(answer, self.options.field)
        )

    def _labels(self, value: object) -> Labels | None:
        if isinstance(value, str) and self.options.separator is not None:
            value = [part.strip() for part in value.split(self.options.separator) if part.strip()]
        if value is NOTHING or not isinstance(value, list):
            return None
        if not all(isinstance(label, str) for label in value):
            return None
        return Labels(map(self._form, value))

    def _form(self, label: str) -> str:
        return str(simplified(label)) if self.options.normalise else label


def _shares(truth: Labels, predicted: Labels) -> dict[str, float]:
    both, either = len(truth & predicted), len(truth | predicted)
    if not either:
        return {"jaccard": 1.0, "f1": 1.0, "precision": 1.0, "recall": 1.0}
    return {
        "jaccard": both / either,
        "f1": 2 * both / (len(truth) + len(predicted)),
        "precision": both / len(predicted) if predicted else 0.0,
        "recall": both / len(truth) if truth else 0.0,
    }
