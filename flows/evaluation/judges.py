"""The judges of a target: models that graders ask. Opened when first asked, inside the run's budget, every cent written down.

What a judge's answer cost is a line in the run's folder before its verdict counts, so that a run that was killed knows
what it has spent.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from evals.codec import decoder
from evals.errors import GatewrightError
from evals.files import append_lines, whole_lines
from evals.graders.model_client import (
    ConnectedModelClient,
    JudgeAnswer,
    JudgeQuestion,
    NoAnswerError,
)
from evals.records import Record, Usage, encode
from evals.sampling.budget import Budget, Estimator, cost_usd
from flows.config.target import JudgePlan
from flows.platforms.base import HostingPlatform
from flows.platforms.table import open_platform

__all__ = ["JudgeCosts", "TargetJudge", "judge_costs", "judges_at_work"]

LEDGER = "judges.jsonl"


class JudgeCall(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One answer of a judge, paid for; `cost_usd` is None when the price isn't known.

    A line with `stopped` is no answer: it says why no judge is asked any more.
    """

    model: str
    usage: Usage = Usage()
    cost_usd: float | None = None
    stopped: str = ""


class JudgeCosts(Record, frozen=True, kw_only=True):
    """What a run's judges came to. `stopped` says why they could not go on, empty when they could."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = 0.0
    stopped: str = ""

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.prompt_tokens + self.completion_tokens


class TargetJudge:
    """Asks the models that a target names as judges (an `evals.graders.model_client.ModelClient`).

    Nothing is opened before the first question. Between `judges_at_work` it knows where to write and what it may spend.
    """

    def __init__(self, plan: JudgePlan) -> None:
        self.plan = plan
        self.ledger: Path | None = None
        self.budget = Budget()
        self._platform: HostingPlatform | None = None
        self._askers: dict[str, ConnectedModelClient] = {}
        self._estimators: dict[str, Estimator] = {}
        self._stopped = ""

    @property
    def platform(self) -> HostingPlatform:
        """Where the judges answer."""
        if self._platform is None:
            self._platform = open_platform(self.plan.platform, self.plan.options, os.environ)
        return self._platform

    def deployment(self, model: str) -> str:
        """Name under which a judge model answers."""
        return self.plan.deployments.get(model, model)

    async def ask(self, question: JudgeQuestion) -> JudgeAnswer:
        """Return the judge's answer. Raises NoAnswerError, also when the run's budget is used up."""
        asker = self._asker(question.model)
        written = sum(len(str(message.content)) for message in question.messages)
        longest = question.settings.max_completion_tokens
        async with self._within_budget(question.model, written, longest):
            return await asker.ask(replace(question, model=self._name(question.model)))

    async def embed(self, model: str, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text. Raises NoAnswerError, also when the run's budget is used up."""
        async with self._within_budget(model, sum(map(len, texts)), 0):
            return await self._asker(model).embed(self._name(model), texts)

    async def aclose(self) -> None:
        """Close what was opened, and write down when the budget ended it; asking again opens it anew."""
        if self._stopped:
            self._write(JudgeCall(model="", stopped=f"judges were not asked on: {self._stopped}"))
            self._stopped = ""
        for asker in self._askers.values():
            await asker.aclose()
        self._askers.clear()
        if self._platform is not None:
            await self._platform.aclose()
            self._platform = None

    def _asker(self, model: str) -> ConnectedModelClient:
        if model not in self._askers:
            try:
                connection = self.platform.connect(self.deployment(model), model, "production")
            except GatewrightError as error:
                message = f"judge {model} can't be reached: {error}"
                raise NoAnswerError(message, asked_again=True) from error
            self._askers[model] = ConnectedModelClient(
                connection,
                concurrency=self.plan.concurrency,
                on_usage=lambda _name, usage: self._book(model, usage),
            )
        return self._askers[model]

    def _name(self, model: str) -> str:
        return self.platform.connect(self.deployment(model), model, "production").endpoint.model

    @asynccontextmanager
    async def _within_budget(
        self, model: str, written: int, longest: int | None
    ) -> AsyncIterator[None]:
        guess = Estimator(longest).guess(written)
        tokens = guess.prompt_tokens + guess.completion_tokens
        price = self.platform.price(model)
        usd = cost_usd(price, guess) if price is not None else 0.0
        while (granted := self.budget.reserve(usd, tokens)) == "wait":
            await self.budget.settled.wait()
        if granted == "reached":
            words = self._stopped = self.budget.exhausted_message()
            raise NoAnswerError(f"judge {model} gave no answer: {words}", asked_again=True)
        try:
            yield
        finally:
            self.budget.settle(usd, tokens)

    def _book(self, model: str, usage: Usage) -> None:
        price = self.platform.price(model)
        cost = cost_usd(price, usage) if price is not None else None
        self.budget.spend(cost or 0.0, usage.prompt_tokens + usage.completion_tokens)
        self._write(JudgeCall(model=model, usage=usage, cost_usd=cost))

    def _write(self, call: JudgeCall) -> None:
        if self.ledger is not None:
            append_lines(self.ledger, [encode(call)], durably=False)


@asynccontextmanager
async def judges_at_work(
    judge: TargetJudge | None, folder: Path, budget: Budget | None = None
) -> AsyncIterator[None]:
    """Let a run's judges be asked in a block: what they cost goes into the run's folder, and they are closed after it."""
    if judge is None:
        yield
        return
    judge.ledger, judge.budget = folder / LEDGER, budget or Budget()
    try:
        yield
    finally:
        await judge.aclose()


def judge_costs(folder: Path) -> JudgeCosts:
    """Return what a run's judges cost so far, over all processes that asked them."""
    calls, prompt_tokens, completion_tokens, stopped = 0, 0, 0, ""
    cost: float | None = 0.0
    for call in _ledger(folder / LEDGER):
        stopped = call.stopped
        if not stopped:
            calls += 1
            prompt_tokens += call.usage.prompt_tokens
            completion_tokens += call.usage.completion_tokens
            cost = None if cost is None or call.cost_usd is None else cost + call.cost_usd
    return JudgeCosts(
        calls=calls,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cost_usd=cost,
        stopped=stopped,
    )


def _ledger(path: Path) -> Iterator[JudgeCall]:
    reader = decoder(JudgeCall)
    for line in whole_lines(path):
        with suppress(msgspec.DecodeError):  # an empty line, as older versions wrote them
            yield reader.decode(line)
