"""Asking models on behalf of graders: judges and embeddings, with retries, and every token counted."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from evals.records import Message, Price, Usage
from evals.sampling.asks import Ask, Connection, SamplingSettings
from evals.sampling.bodies import RequestShape
from evals.sampling.budget import cost_usd
from evals.sampling.classify import Reply, classify
from evals.sampling.redaction import Redactor
from evals.sampling.transport import Answer, Route, Transport, TransportFailure
from evals.sampling.waits import backoff
from evals.sampling.wire import read_json

__all__ = ["ASKED_AGAIN", "Asker", "ModelAsker", "NoAnswerError", "Opinion", "Question"]

ASKED_AGAIN = "asked again when the run goes on"
"""Stands in the reason of an unscored answer whose judge could not be reached; see `evals.scores`."""

_ATTEMPTS = 5
_TIMEOUT_S = 120.0


class NoAnswerError(Exception):
    """A judge or an embedding model gave no answer that can be used; the score is then unscored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a judge is asked. `settings` may hold temperature, seed, token limit and response format."""

    model: str
    messages: tuple[Message, ...]
    settings: SamplingSettings
    repeat: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a judge said."""

    text: str
    usage: Usage | None = None


class Asker(Protocol):
    """Reaches judge and embedding models."""

    async def ask(self, question: Question) -> Opinion:
        """Return the judge's answer. Raises NoAnswerError."""
        ...

    async def embed(self, model: str, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text. Raises NoAnswerError."""
        ...


class ModelAsker:
    """Asks the models behind one connection, under whatever name a grader gives.

    `usage` counts tokens and `calls` the requests by model; `cost_usd` is None as soon as a used model has no price.
    `on_usage` hears of every reply that has to be paid for, also of one that can't be used.
    Close it when all grading is done.
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
        self._connection = connection
        self._prices = prices or {}
        self._on_usage = on_usage
        self._redactor = Redactor()
        self._gate = asyncio.Semaphore(concurrency)
        self._transport: Transport | None = None

    @property
    def cost_usd(self) -> float | None:
        """What the judges cost so far."""
        if any(model not in self._prices for model in self.usage):
            return None
        return sum(cost_usd(self._prices[model], usage) for model, usage in self.usage.items())

    async def aclose(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            await self._transport.__aexit__(None, None, None)
            self._transport = None

    async def __aenter__(self) -> ModelAsker:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def ask(self, question: Question) -> Opinion:
        """Return the judge's answer. Raises NoAnswerError."""
        endpoint = msgspec.structs.replace(
            self._connection.endpoint, model=question.model, model_id=question.model
        )
        shape = RequestShape(endpoint, question.settings)
        ask = Ask(
            role="candidate",
            suite="",
            case_id="",
            repeat=question.repeat,
            messages=question.messages,
        )
        for attempt in range(1, _ATTEMPTS + 1):
            version = shape.version
            reply = await self._send(endpoint.api, shape.url, shape.body(ask), question.model)
            if reply.outcome == "answered" and reply.text is not None:
                return Opinion(text=reply.text, usage=reply.usage)
            if reply.refused_parameter and shape.learn(reply.refused_parameter, version):
                continue
            if not reply.retryable or attempt == _ATTEMPTS:
                break
            await asyncio.sleep(backoff(attempt, random.Random()))  # noqa: S311 - spread, no secret
        raise NoAnswerError(self._why(question.model, reply))

    async def embed(self, model: str, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text. Raises NoAnswerError."""
        endpoint = self._connection.endpoint
        query = f"?api-version={endpoint.api_version}" if endpoint.api_version else ""
        url = f"{endpoint.base_url.rstrip('/')}/embeddings{query}"
        body = msgspec.json.encode({"model": model, "input": texts, "encoding_format": "float"})
        for attempt in range(1, _ATTEMPTS + 1):
            answer = await self._post(url, body, model)
            if isinstance(answer, Answer) and answer.status == 200:
                return self._vectors(model, read_json(answer.body), len(texts))
            retryable = isinstance(answer, TransportFailure) or answer.status in (408, 409, 429)
            if not (retryable or _status(answer) >= 500) or attempt == _ATTEMPTS:
                break
            await asyncio.sleep(backoff(attempt, random.Random()))  # noqa: S311 - spread, no secret
        said = answer.body[:200] if isinstance(answer, Answer) else answer
        again = f"; {ASKED_AGAIN}" if _status(answer) not in range(400, 404) else ""
        raise NoAnswerError(f"{model} gave no embedding: {self._redactor.text(str(said))}{again}")

    async def _send(self, api: str, url: str, body: bytes, model: str) -> Reply:
        answer = await self._post(url, body, model)
        if isinstance(answer, TransportFailure):
            return Reply(outcome=answer.outcome, error=str(answer), retryable=True)
        reply = classify(api, answer.status, answer.headers, answer.body)
        if reply.usage is not None:
            self._count(model, reply.usage)
        return reply

    async def _post(self, url: str, body: bytes, model: str) -> Answer | TransportFailure:
        if self._transport is None:
            self._transport = Transport()
        secret = await self._connection.auth()
        self._redactor.add_headers(secret)
        headers = {"Content-Type": "application/json", "User-Agent": "gatewright", **secret}
        async with self._gate:
            self.calls[model] += 1
            try:
                return await self._transport.post(Route(url, _TIMEOUT_S, 10.0), body, headers)
            except TransportFailure as failure:
                return failure

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
        except (KeyError, TypeError, ValueError, AttributeError):
            raise NoAnswerError(f"{model} gave an embedding that can't be read") from None
        if len(vectors) != count:
            raise NoAnswerError(f"{model} gave {len(vectors)} embeddings for {count} texts")
        self._count(model, Usage(prompt_tokens=tokens))
        return vectors

    def _why(self, model: str, reply: Reply) -> str:
        detail = self._redactor.text(reply.error or reply.text or "no text")
        again = f"; {ASKED_AGAIN}" if reply.retryable else ""
        return f"judge {model} gave no answer ({reply.outcome}): {detail}{again}"


def _status(answer: Answer | TransportFailure) -> int:
    return answer.status if isinstance(answer, Answer) else 0
