"""Asking models on behalf of graders: judges and embeddings, with retries, and every token counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from evals.graders.transport import JudgeCall, JudgeTransport
from evals.records import Message, Price, UnscoredBecause, Usage
from evals.sampling.budget import cost_usd
from evals.sampling.endpoint.classify import Reply, classify
from evals.sampling.endpoint.parsing import read_json
from evals.sampling.endpoint.request_body import RequestBuilder
from evals.sampling.endpoint.transport import HttpAnswer
from evals.sampling.redaction import Redactor
from evals.sampling.request_spec import Connection, ModelRequest, SamplingSettings

__all__ = [
    "ConnectedModelClient",
    "JudgeAnswer",
    "JudgeQuestion",
    "ModelClient",
    "NoAnswerError",
]


class NoAnswerError(Exception):
    """A judge or an embedding model gave no answer that can be used; the score is then unscored.

    `asked_again` is True where the model could not be reached: it is asked again when the run goes on.
    """

    def __init__(self, message: str, *, asked_again: bool = False) -> None:
        self.asked_again = asked_again
        super().__init__(f"{message}; asked again when the run goes on" if asked_again else message)

    @property
    def unscored_because(self) -> UnscoredBecause:
        """The code of the scores that are missing for it."""
        return "judge_unreachable" if self.asked_again else "ungradable"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeQuestion:
    """What a judge is asked. `settings` may hold temperature, seed, token limit and response format."""

    model: str
    messages: tuple[Message, ...]
    settings: SamplingSettings
    repeat: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeAnswer:
    """What a judge said."""

    text: str
    usage: Usage | None = None


class ModelClient(Protocol):
    """Reaches judge and embedding models."""

    async def ask(self, question: JudgeQuestion) -> JudgeAnswer:
        """Return the judge's answer. Raises NoAnswerError."""
        ...

    async def embed(self, model: str, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text. Raises NoAnswerError."""
        ...


class ConnectedModelClient:
    """Asks the models behind one connection, under whatever name a grader gives.

    `usage` counts tokens and `calls` the requests by model; `cost_usd` is None as soon as a used model has no price.
    `on_usage` hears of every reply that has to be paid for, also of one that can't be used. `concurrency` is a ceiling:
    how much of it the service takes is found out as in sampling. A parameter that a model refused by name is left out
    of all its later questions too. Close it when all grading is done.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        prices: Mapping[str, Price] | None = None,
        concurrency: int = 16,
        on_usage: Callable[[str, Usage], None] | None = None,
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.usage: dict[str, Usage] = {}
        self._endpoint = connection.endpoint
        self._prices = prices or {}
        self._on_usage = on_usage
        self._redactor = Redactor()
        self._transport = JudgeTransport(connection, self._redactor, concurrency=concurrency)
        self._builders: dict[tuple[str, bytes], RequestBuilder] = {}

    @property
    def cost_usd(self) -> float | None:
        """What the judges cost so far."""
        if any(model not in self._prices for model in self.usage):
            return None
        return sum(cost_usd(self._prices[model], usage) for model, usage in self.usage.items())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> ConnectedModelClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def ask(self, question: JudgeQuestion) -> JudgeAnswer:
        """Return the judge's answer. Raises NoAnswerError."""
        builder = self._builder(question)
        request = ModelRequest(
            role="candidate",
            suite="",
            case_id="",
            repeat=question.repeat,
            messages=question.messages,
        )
        sent = builder.version

        def body() -> bytes:
            nonlocal sent
            sent = builder.version
            return builder.body(request)

        def read(answer: HttpAnswer) -> Reply:
            reply = classify(self._endpoint.api, answer.status, answer.headers, answer.body)
            if reply.usage is not None:
                self._count(question.model, reply.usage)
            return reply

        call = JudgeCall(
            builder.url, body, read, lambda reply: builder.adapt(reply.refused_parameter, sent)
        )
        reply = await self._answer(question.model, call)
        if reply.outcome != "answered" or reply.text is None:
            raise self._no_answer(f"judge {question.model} gave no answer", reply)
        return JudgeAnswer(text=reply.text, usage=reply.usage)

    async def embed(self, model: str, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text. Raises NoAnswerError."""
        endpoint = self._endpoint
        query = f"?api-version={endpoint.api_version}" if endpoint.api_version else ""
        url = f"{endpoint.base_url.rstrip('/')}/embeddings{query}"
        body = msgspec.json.encode({"model": model, "input": texts, "encoding_format": "float"})
        vectors: list[list[float]] = []

        def read(answer: HttpAnswer) -> Reply:
            if not 200 <= answer.status < 300:
                return classify(endpoint.api, answer.status, answer.headers, answer.body)
            vectors.extend(self._vectors(model, read_json(answer.body), len(texts)))
            return Reply(outcome="answered")

        reply = await self._answer(model, JudgeCall(url, lambda: body, read))
        if reply.outcome != "answered":
            raise self._no_answer(f"{model} gave no embedding", reply)
        return vectors

    async def _answer(self, model: str, call: JudgeCall) -> Reply:
        return await self._transport.answer(call, lambda: self.calls.update((model,)))

    def _builder(self, question: JudgeQuestion) -> RequestBuilder:
        """The builder of a model's requests, which remembers what the model refused."""
        key = (question.model, msgspec.json.encode(question.settings, order="sorted"))
        if key not in self._builders:
            endpoint = msgspec.structs.replace(
                self._endpoint, model=question.model, model_id=question.model
            )
            self._builders[key] = RequestBuilder(endpoint, question.settings)
        return self._builders[key]

    def _count(self, model: str, usage: Usage) -> None:
        before = self.usage.get(model, Usage())
        self.usage[model] = Usage(
            **{
                name: getattr(before, name) + getattr(usage, name)
                for name in Usage.__struct_fields__
            }
        )
        if self._on_usage is not None:
            self._on_usage(model, usage)

    def _vectors(self, model: str, data: Any, count: int) -> list[list[float]]:
        try:
            rows = sorted(data["data"], key=lambda row: row["index"])
            vectors = [[float(value) for value in row["embedding"]] for row in rows]
            tokens = int(data.get("usage", {}).get("prompt_tokens", 0))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
            raise NoAnswerError(f"{model} gave an embedding that can't be read") from None
        if len(vectors) != count:
            raise NoAnswerError(f"{model} gave {len(vectors)} embeddings for {count} texts")
        self._count(model, Usage(prompt_tokens=tokens))
        return vectors

    def _no_answer(self, what: str, reply: Reply) -> NoAnswerError:
        detail = self._redactor.text(reply.error or reply.text or "no text")
        again = reply.retryable or bool(reply.fatal)
        return NoAnswerError(f"{what} ({reply.outcome}): {detail}", asked_again=again)
