"""What OpenAI's graders have in common: templates over `item` and `sample`, a raw score, a pass threshold.

The JSON of such a grader goes into suite.yaml as it is. Two namespaces are OpenAI's; `expected` is ours, for suites
that weren't imported. A variable of `item` or `expected` that a case lacks is a mistake in the suite and refused when
it is opened; one of `sample` that an answer lacks (no JSON, no tool call) is the model's, and scores 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from evals.cases.templates import TemplateError, lookup, parse_path, variables
from evals.errors import nearest
from evals.graders.base import CaseProblem, Column, GraderBase, ParameterError, Parameters
from evals.graders.parsing import NOTHING, fault, parse_answer
from evals.records import Case, Response, Score, UnscoredBecause

__all__ = ["OpenAIGrader", "OpenAIOptions", "RawScore", "namespaces", "sample_of"]

_NAMESPACES = ("item", "sample", "expected")
_SAMPLE = ("output_text", "output_json", "output_tools", "choices")


class RawScore(NamedTuple):
    """A score as the grader gives it, before it is brought into [0, 1]; None when nothing could be judged."""

    value: float | None
    reason: str = ""
    unscored_because: UnscoredBecause = "ungradable"


class OpenAIOptions(Parameters, frozen=True, kw_only=True):
    """`pass_threshold`: adds a column "<name>.passed", 1 where the raw score reaches it."""

    pass_threshold: float | None = None


@dataclass(slots=True)
class OpenAIGrader(GraderBase):
    """Base of OpenAI's graders. A subclass gives its `templates` and its `raw` score."""

    Options: ClassVar[type[Parameters]] = OpenAIOptions

    def __post_init__(self) -> None:
        self.prepare()
        for template in self.templates():
            _check_variables(template)

    def prepare(self) -> None:
        """Check the options. Raises ParameterError."""

    def templates(self) -> tuple[str, ...]:
        """Return every template the grader fills."""
        return ()

    def range(self) -> tuple[float, float]:
        """Return the lowest and the highest raw score."""
        return 0.0, 1.0

    async def raw(self, case: Case, response: Response) -> RawScore:
        """Judge an answer."""
        raise NotImplementedError

    def columns(self) -> tuple[Column, ...]:
        names = [self.name]
        if self.options.pass_threshold is not None:
            names.append(f"{self.name}.passed")
        return tuple(Column(name=name) for name in names)

    def check(self, case: Case) -> Iterator[CaseProblem]:
        known = {"item": case.item, "expected": case.expected}
        for template in self.templates():
            for name in variables(template):
                if name.startswith("sample"):
                    continue
                try:
                    lookup(parse_path(name), known)
                except TemplateError as error:
                    yield CaseProblem(
                        field=name, message=str(error), fix=error.fix, grader=self.name
                    )

    async def grade(self, case: Case, response: Response) -> tuple[Score, ...]:
        reason = fault(response)
        raw = (
            RawScore(self.range()[0], reason) if reason else await self.raw_or_zero(case, response)
        )
        if raw.value is None:
            return self.unscored(case, response, raw.reason, raw.unscored_because)
        low, high = self.range()
        share = (min(high, max(low, raw.value)) - low) / (high - low)
        scores = [self.value(response, share, _reason(raw, low, high))]
        threshold = self.options.pass_threshold
        if threshold is not None:
            # A failed answer never passes, even where the threshold is the lowest score there is.
            passed = reason is None and raw.value >= threshold
            scores.append(self._score(f"{self.name}.passed", response, float(passed), raw.reason))
        return tuple(scores)

    async def raw_or_zero(self, case: Case, response: Response) -> RawScore:
        """Judge an answer; one that lacks what a template asks of it gets the lowest score."""
        try:
            return await self.raw(case, response)
        except TemplateError as error:
            return RawScore(self.range()[0], str(error))


def namespaces(case: Case, response: Response) -> dict[str, Any]:
    """Return what templates may speak of."""
    return {"item": case.item, "sample": sample_of(response), "expected": case.expected}


def sample_of(response: Response) -> dict[str, Any]:
    """Return a response in the shape that OpenAI's graders know it by."""
    text = response.text or ""
    sample: dict[str, Any] = {
        "output_text": text,
        "output_tools": response.tool_calls or [],
        "choices": [
            {
                "index": 0,
                "finish_reason": response.finish_reason,
                "message": {
                    "role": "assistant",
                    "content": response.text,
                    "tool_calls": response.tool_calls or [],
                },
            }
        ],
    }
    parsed = parse_answer(text)
    if parsed is not NOTHING:
        sample["output_json"] = parsed
    return sample


def template_texts(value: Any) -> Iterator[str]:
    """Yield every text inside lists and objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from template_texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from template_texts(item)


def _check_variables(template: str) -> None:
    try:
        names = variables(template)
    except TemplateError as error:
        raise ParameterError(str(error)) from None
    for name in names:
        head, part, *_ = [*name.replace("[", ".").split("."), ""]
        if head not in _NAMESPACES:
            raise ParameterError(
                f"expected variables of {', '.join(_NAMESPACES)}; found '{{{{ {name} }}}}'"
            )
        if head == "sample" and part and part not in _SAMPLE:
            message = f"a sample has {', '.join(_SAMPLE)}; found '{{{{ {name} }}}}'"
            raise ParameterError(message, fix=nearest(part, _SAMPLE))


def _reason(raw: RawScore, low: float, high: float) -> str:
    if (low, high) == (0.0, 1.0) or raw.value is None:
        return raw.reason
    return f"{raw.value:g} on a scale from {low:g} to {high:g}" + (
        f": {raw.reason}" if raw.reason else ""
    )
