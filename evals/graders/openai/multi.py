"""OpenAI's multi grader: several graders' raw scores in one formula."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from evals.cases.suite_file import GraderSpec
from evals.graders.base import CaseProblem, ParameterError
from evals.graders.openai.base import OpenAIGrader, OpenAIOptions, RawScore
from evals.graders.openai.formula import Formula, FormulaError, parse
from evals.graders.openai.model_graders import LabelModelGrader, ScoreModelGrader
from evals.graders.openai.python import PythonGrader
from evals.graders.openai.texts import StringCheckGrader, TextSimilarityGrader
from evals.graders.options import read_parameters
from evals.records import Case, Response

__all__ = ["MultiGrader"]

_PARTS: dict[str, type[OpenAIGrader]] = {
    "label_model": LabelModelGrader,
    "python": PythonGrader,
    "score_model": ScoreModelGrader,
    "string_check": StringCheckGrader,
    "text_similarity": TextSimilarityGrader,
}


class MultiOptions(OpenAIOptions, frozen=True, kw_only=True):
    """`graders`: by the name they have in `calculate_output`."""

    graders: dict[str, dict[str, Any]]
    calculate_output: str


@dataclass(slots=True)
class MultiGrader(OpenAIGrader):
    """The formula's value, clipped to [0, 1]. Unscored when a part is, or when the formula has no finite value."""

    Options = MultiOptions
    _formula: Formula = field(init=False)
    _parts: dict[str, OpenAIGrader] = field(init=False)

    @property
    def judges(self) -> tuple[str, ...]:
        """The models this grader's parts ask."""
        return tuple(
            model for part in self._parts.values() for model in getattr(part, "judges", ())
        )

    def prepare(self) -> None:
        try:
            self._formula = parse(self.options.calculate_output)
        except FormulaError as error:
            raise ParameterError(str(error), "calculate_output") from None
        unknown = [name for name in self._formula.names if name not in self.options.graders]
        if unknown:
            known = ", ".join(self.options.graders)
            raise ParameterError(
                f"'{unknown[0]}' is none of the graders ({known})", "calculate_output"
            )
        self._parts = {name: self._part(name, data) for name, data in self.options.graders.items()}

    def check(self, case: Case) -> Iterator[CaseProblem]:
        for part in self._parts.values():
            yield from part.check(case)

    async def raw(self, case: Case, response: Response) -> RawScore:
        values: dict[str, float] = {}
        for name in self._formula.names:
            part = await self._parts[name].raw_or_zero(case, response)
            if part.value is None:
                return RawScore(None, f"{name}: {part.reason}", part.unscored_because)
            values[name] = part.value
        try:
            result = self._formula.value(values)
        except FormulaError as error:
            return RawScore(None, str(error))
        shares = ", ".join(f"{name} {value:g}" for name, value in values.items())
        return RawScore(min(1.0, max(0.0, result)), shares)

    def _part(self, name: str, data: dict[str, Any]) -> OpenAIGrader:
        kind = _PARTS.get(data.get("type", ""))
        if kind is None:
            valid = ", ".join(_PARTS)
            raise ParameterError(
                f"expected one of {valid}; found {data.get('type')!r}", f"graders.{name}.type"
            )
        params = {key: value for key, value in data.items() if key not in ("type", "name")}
        spec = GraderSpec(name=f"{self.name}.{name}", type=data["type"], params=params, line=None)
        options, errors = read_parameters(spec, kind.Options)
        if errors:
            raise ParameterError(str(errors[0]), f"graders.{name}.{errors[0].field}".rstrip("."))
        return kind(spec.name, options, self.context)
