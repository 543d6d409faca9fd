"""What a grader is, and the rules all of them keep.

A response that never came (infrastructure's fault) is unscored. A response that is the model's own fault (refused,
truncated, filtered, not the JSON asked for) is a wrong answer: 0, or the label "(invalid)". A grader that crashed has
judged nothing: unscored, with the traceback.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import msgspec

from evals.cases.suite_file import Suite
from evals.records import INFRASTRUCTURE_OUTCOMES, Case, Response, Score, UnscoredBecause

__all__ = [
    "INVALID_LABEL",
    "LABEL_STATISTICS",
    "CaseProblem",
    "Column",
    "Context",
    "Grader",
    "GraderBase",
    "ParameterError",
    "Parameters",
    "grade_response",
]

INVALID_LABEL = "(invalid)"
"""What stands for the prediction of an answer that has none: it is wrong whatever the truth is."""

LABEL_STATISTICS = ("macro_f1", "weighted_f1", "precision", "recall", "mcc", "kappa")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of scores that a grader yields: values in [0, 1], or labels (then `labels` are all there are)."""

    name: str
    kind: Literal["value", "label"] = "value"
    labels: tuple[str, ...] = ()

    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that follow from the column."""
        if self.kind == "value":
            return (self.name,)
        return tuple(f"{self.name}.{part}" for part in ("accuracy", *LABEL_STATISTICS))


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseProblem:
    """What a grader misses in a case, or finds wrong in it; `grader` where the message does not make clear whose it is."""

    field: str
    message: str
    fix: str | None = None
    grader: str = ""


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the options a grader takes in suite.yaml."""


class ParameterError(Exception):
    """An option of a grader is wrong; `field` is relative to the grader's entry."""

    def __init__(self, message: str, field: str = "", fix: str | None = None) -> None:
        self.field = field
        self.fix = fix
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What graders are built with: the suite, and who answers for graders that ask a model.

    `model_client` is None unless the run can reach judge models; see `evals.graders.model_client`.
    """

    suite: Suite
    model_client: Any = None


@runtime_checkable
class Grader(Protocol):
    """Turns a case and a response into scores. `identity` is everything besides the version that decides a score."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def identity(self) -> Mapping[str, Any]: ...
    def columns(self) -> tuple[Column, ...]: ...
    def metrics(self) -> tuple[str, ...]: ...
    def applies(self, column: str, case: Case) -> bool: ...
    def check(self, case: Case) -> Iterable[CaseProblem]: ...
    def grade(
        self, case: Case, response: Response
    ) -> tuple[Score, ...] | Awaitable[tuple[Score, ...]]: ...


@dataclass(slots=True)
class GraderBase:
    """What most graders share. A subclass gives `grade` (see `Grader`), and may give `Options`, `columns`, `applies`, `check` and `reference`."""

    name: str
    options: Any
    context: Context
    identity: Mapping[str, Any] = field(default_factory=dict)

    version: ClassVar[str] = "1"
    Options: ClassVar[type[Parameters]] = Parameters

    def columns(self) -> tuple[Column, ...]:
        """Return the columns this grader yields."""
        return (Column(name=self.name),)

    def metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics this grader yields."""
        return tuple(name for column in self.columns() for name in column.metrics())

    def applies(self, column: str, case: Case) -> bool:
        """Return whether the case counts for the column at all."""
        return True

    def check(self, case: Case) -> Iterable[CaseProblem]:
        """Yield what makes the case impossible to grade."""
        return ()

    def reference(self, case: Case) -> str | None:
        """Return an answer that ought to get the best score there is, None where the case does not tell one."""
        return None

    def unscored(
        self,
        case: Case,
        response: Response,
        reason: str,
        because: UnscoredBecause = "ungradable",
    ) -> tuple[Score, ...]:
        """Return an unscored score for every column that applies to the case."""
        return tuple(
            self._score(column.name, response, None, reason, because)
            for column in self.columns()
            if self.applies(column.name, case)
        )

    def value(self, response: Response, value: float | bool, reason: str = "") -> Score:
        """Return a score of this grader's own column."""
        return self._score(self.name, response, float(value), reason)

    def _score(
        self,
        column: str,
        response: Response,
        value: float | None,
        reason: str = "",
        because: UnscoredBecause = "ungradable",
    ) -> Score:
        return Score(
            case_id=response.case_id,
            repeat=response.repeat,
            grader=column,
            version=self.version,
            value=value,
            reason=reason,
            unscored_because=because if value is None else None,
        )


async def grade_response(
    graders: Sequence[Grader], case: Case, response: Response
) -> tuple[Score, ...]:
    """Let every grader judge one response. Never raises for what a grader does: a crash is unscored."""
    found: list[Score] = []
    for grader in graders:
        if getattr(grader, "pairs", False):  # judged later, when both models have answered
            continue
        if response.outcome in INFRASTRUCTURE_OUTCOMES:
            missing = _infrastructure(response)
            found.extend(_unscored(grader, case, response, missing, "no_answer"))
            continue
        try:
            judged = grader.grade(case, response)
            found.extend(await judged if isawaitable(judged) else judged)
        except Exception:  # whatever a grader's author got wrong must not end the run
            trace = traceback.format_exc(limit=-8)
            crash = f"the grader crashed:\n{trace}"
            found.extend(_unscored(grader, case, response, crash, "ungradable"))
    return tuple(found)


def _unscored(
    grader: Grader, case: Case, response: Response, reason: str, because: UnscoredBecause
) -> Iterator[Score]:
    for column in grader.columns():
        if grader.applies(column.name, case):
            yield Score(
                case_id=response.case_id,
                repeat=response.repeat,
                grader=column.name,
                version=grader.version,
                reason=reason,
                unscored_because=because,
            )


def _infrastructure(response: Response) -> str:
    detail = f": {response.error}" if response.error else ""
    return f"no answer came ({response.outcome}){detail}"
