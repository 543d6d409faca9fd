"""OpenAI's string_check and text_similarity, run here from their JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import msgspec

from evals.cases.templates import render
from evals.config.schema_errors import shown
from evals.errors import missing_library
from evals.graders.base import CaseProblem, ParameterError, Parameters
from evals.graders.model_client import NoAnswerError
from evals.graders.openai.base import OpenAIGrader, OpenAIOptions, RawScore, namespaces
from evals.graders.openai.similarity import LIBRARIES, MEASURES, cosine, similarity
from evals.graders.parsing import same_text
from evals.records import Case, Response

__all__ = ["EmbeddingSimilarityGrader", "StringCheckGrader", "TextSimilarityGrader"]


class StringCheckOptions(OpenAIOptions, frozen=True, kw_only=True):
    """`operation`: eq, ne, like (contains) or ilike (contains, whatever the case)."""

    input: str
    reference: str
    operation: Literal["eq", "ne", "like", "ilike"]


@dataclass(slots=True)
class StringCheckGrader(OpenAIGrader):
    """1 when the filled input stands in that relation to the filled reference."""

    Options = StringCheckOptions

    def templates(self) -> tuple[str, ...]:
        return (self.options.input, self.options.reference)

    async def raw(self, case: Case, response: Response) -> RawScore:
        known = namespaces(case, response)
        text, reference = (render(template, known) for template in self.templates())
        holds = {
            "eq": text == reference,
            "ne": text != reference,
            "like": reference in text,
            "ilike": reference.casefold() in text.casefold(),
        }[self.options.operation]
        found = f"{shown(text)} {self.options.operation} {shown(reference)} does not hold"
        return RawScore(float(holds), "" if holds else found)


class TextSimilarityOptions(OpenAIOptions, frozen=True, kw_only=True):
    """`evaluation_metric`: cosine, fuzzy_match, bleu, gleu, meteor, rouge_1 … rouge_5, rouge_l.

    Without `reference` the case's `expected` is it. `model` is the embedding model that cosine asks.
    """

    evaluation_metric: str
    input: str = "{{ sample.output_text }}"
    reference: str | None = None
    model: str = "text-embedding-3-large"


@dataclass(slots=True)
class TextSimilarityGrader(OpenAIGrader):
    """How alike the filled input is to the filled reference, in [0, 1]."""

    Options: ClassVar[type[Parameters]] = TextSimilarityOptions

    @property
    def judges(self) -> tuple[str, ...]:
        """The models this grader asks."""
        return (self.options.model,) if self.options.evaluation_metric == "cosine" else ()

    def prepare(self) -> None:
        measure = self.options.evaluation_metric
        if measure not in MEASURES and measure != "cosine":
            valid = ", ".join(sorted([*MEASURES, "cosine"]))
            raise ParameterError(f"expected one of {valid}; found '{measure}'", "evaluation_metric")
        if library := LIBRARIES.get(measure):
            missing = missing_library(library, "text-metrics", needed_by=measure, where=self.name)
            if missing:
                raise ParameterError(missing.message, "evaluation_metric", missing.fix)

    def templates(self) -> tuple[str, ...]:
        own = self.options.reference
        return (self.options.input,) if own is None else (self.options.input, own)

    def check(self, case: Case) -> Iterator[CaseProblem]:
        yield from OpenAIGrader.check(self, case)
        if self.options.reference is None and case.expected in (None, "", [], {}):
            yield CaseProblem(field="expected", message="expected a reference text; found none")

    async def raw(self, case: Case, response: Response) -> RawScore:
        known = namespaces(case, response)
        text = render(self.options.input, known)
        own = self.options.reference
        reference = same_text(case.expected) if own is None else render(own, known)
        if self.options.evaluation_metric == "cosine":
            return await self._cosine(text, reference)
        return RawScore(similarity(self.options.evaluation_metric, text, reference))

    async def _cosine(self, text: str, reference: str) -> RawScore:
        model_client = self.context.model_client
        if model_client is None:
            return RawScore(None, "no endpoint for embeddings is configured")
        if not text.strip() or not reference.strip():
            return RawScore(0.0, "nothing to compare")
        try:
            vectors = await model_client.embed(self.options.model, [text, reference])
        except NoAnswerError as error:
            return RawScore(None, str(error), error.unscored_because)
        # Below 0 two texts have nothing in common, which is as far as a score goes.
        return RawScore(max(0.0, cosine(*vectors)))


class EmbeddingSimilarityOptions(TextSimilarityOptions, frozen=True, kw_only=True):
    """The options of text_similarity; the embedding model has to be named."""

    model: str = msgspec.field()
    evaluation_metric: str = "cosine"


@dataclass(slots=True)
class EmbeddingSimilarityGrader(TextSimilarityGrader):
    """Cosine of the embeddings of answer and reference; what lies below 0 is 0."""

    Options = EmbeddingSimilarityOptions

    def prepare(self) -> None:
        if self.options.evaluation_metric != "cosine":
            raise ParameterError(
                "expected cosine; use text_similarity for others", "evaluation_metric"
            )
