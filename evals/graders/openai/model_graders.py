"""OpenAI's score_model and label_model, run here from their JSON against any judge model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from evals.cases.templates import render_tree
from evals.codec import convert
from evals.graders.base import ParameterError, Parameters
from evals.graders.judges.judge_calls import (
    ask_judge,
    conflict_of_interest,
    label_format,
    number_format,
    read_label,
    read_number,
)
from evals.graders.judges.label_scale import HumanScale
from evals.graders.model_client import JudgeAnswer
from evals.graders.openai.base import (
    OpenAIGrader,
    OpenAIOptions,
    RawScore,
    namespaces,
    template_texts,
)
from evals.records import Case, Message, Response
from evals.sampling.request_spec import SamplingSettings

__all__ = ["LabelModelGrader", "ScoreModelGrader"]

_RENAMED = {
    "max_completions_tokens": "max_completion_tokens",
    "max_tokens": "max_completion_tokens",
}
_KNOWN = ("temperature", "top_p", "seed", "max_completion_tokens", "reasoning_effort")


class ModelOptions(OpenAIOptions, frozen=True, kw_only=True):
    """`input`: the judge's messages, templates; `model`: the judge; `sampling_params`: how it is asked."""

    model: str
    input: list[dict[str, Any]]
    sampling_params: dict[str, Any] | None = None


class ScoreModelOptions(ModelOptions, frozen=True, kw_only=True):
    """`range`: lowest and highest score."""

    range: tuple[float, float] = (0.0, 1.0)


class LabelModelOptions(ModelOptions, frozen=True, kw_only=True):
    """`labels`: what the judge may say; `passing_labels`: which of them count as 1."""

    labels: list[str]
    passing_labels: list[str]


@dataclass(slots=True)
class ModelGrader(OpenAIGrader):
    """Asks the judge with the filled messages."""

    Options: ClassVar[type[Parameters]] = ModelOptions

    @property
    def judges(self) -> tuple[str, ...]:
        """The models this grader asks."""
        return (self.options.model,)

    def prepare(self) -> None:
        if not self.options.input:
            raise ParameterError("expected at least one message; found none", "input")
        for message in self.options.input:
            _as_message(message)
        self.settings()

    def templates(self) -> tuple[str, ...]:
        contents = [message.get("content") for message in self.options.input]
        return tuple(template_texts(contents))

    def settings(self) -> SamplingSettings:
        """Return how the judge is asked. Raises ParameterError for an unknown parameter."""
        given = self.options.sampling_params or {}
        fields = {
            _RENAMED.get(key, key): value for key, value in given.items() if value is not None
        }
        unknown = [key for key in fields if key not in _KNOWN]
        if unknown:
            raise ParameterError(f"unknown parameter '{unknown[0]}'", "sampling_params")
        return convert({**fields, "response_format": self.response_format()}, SamplingSettings)

    def response_format(self) -> dict[str, Any]:
        """Return the form in which the judge is to answer."""
        return number_format()

    async def judged(self, case: Case, response: Response) -> JudgeAnswer | RawScore:
        """Return the judge's answer, or an empty score that says why there is none."""
        conflict = conflict_of_interest(self.options.model, response)
        if conflict is not None:
            return RawScore(None, conflict)
        messages = [
            _as_message(render_tree(message, namespaces(case, response)))
            for message in self.options.input
        ]
        found, missing = await ask_judge(
            self.context.model_client, self.options.model, messages, self.settings(), 1
        )
        if missing is not None:
            return RawScore(None, str(missing), missing.unscored_because)
        return found[0]


@dataclass(slots=True)
class ScoreModelGrader(ModelGrader):
    """The judge gives a number; outside the range it is clipped, and an answer without a number is the lowest."""

    Options = ScoreModelOptions

    def prepare(self) -> None:
        ModelGrader.prepare(self)
        low, high = self.options.range
        if not low < high:
            raise ParameterError(
                f"expected a range from low to high; found [{low:g}, {high:g}]", "range"
            )

    def range(self) -> tuple[float, float]:
        low, high = self.options.range
        return low, high

    def human_scale(self) -> HumanScale:
        """Return the scale on which people judge the same answers."""
        low, high = self.options.range
        return HumanScale(lo=low, hi=high, threshold=self.options.pass_threshold)

    async def raw(self, case: Case, response: Response) -> RawScore:
        judge_answer = await self.judged(case, response)
        if isinstance(judge_answer, RawScore):
            return judge_answer
        number = read_number(judge_answer)
        low, high = self.range()
        if number is None:
            return RawScore(low, f"the judge gave no number: {judge_answer.text[:120]}")
        return RawScore(min(high, max(low, number)), f"judged by {self.options.model}")


@dataclass(slots=True)
class LabelModelGrader(ModelGrader):
    """The judge gives a label; 1 when it is a passing one. A label that isn't declared leaves the answer unscored."""

    Options = LabelModelOptions

    def prepare(self) -> None:
        if len(set(self.options.labels)) < 2:
            raise ParameterError("expected at least two labels", "labels")
        strangers = set(self.options.passing_labels) - set(self.options.labels)
        if strangers or not self.options.passing_labels:
            raise ParameterError("expected some of the labels", "passing_labels")
        ModelGrader.prepare(self)

    def response_format(self) -> dict[str, Any]:
        return label_format(self.options.labels)

    def human_scale(self) -> HumanScale:
        """Return the scale on which people judge the same answers."""
        return HumanScale(
            labels=tuple(self.options.labels),
            passing=tuple(self.options.passing_labels),
            threshold=self.options.pass_threshold,
        )

    async def raw(self, case: Case, response: Response) -> RawScore:
        judge_answer = await self.judged(case, response)
        if isinstance(judge_answer, RawScore):
            return judge_answer
        label = read_label(judge_answer, self.options.labels)
        if label is None:
            return RawScore(None, f"the judge's label can't be read: {judge_answer.text[:120]}")
        return RawScore(
            float(label in self.options.passing_labels), f"{self.options.model}: {label}"
        )


def _as_message(data: dict[str, Any]) -> Message:
    parts = data.get("content")
    texts = [_part_text(part) for part in (parts if isinstance(parts, list) else [parts])]
    role = data.get("role")
    if role not in ("system", "developer", "user", "assistant"):
        raise ParameterError(f"expected a message's role; found {role!r}", "input")
    return Message(role=role, content="\n".join(texts))


def _part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("type") in ("input_text", "output_text", "text"):
        return str(part.get("text", ""))
    raise ParameterError("expected text; pictures and sound can't be judged here", "input")
