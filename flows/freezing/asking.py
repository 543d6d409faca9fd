"""Asks the live model all of a freeze that has no answer yet, slowly again for what was lost, and has the answers graded."""

from __future__ import annotations

import os
from dataclasses import dataclass

from evals.errors import RefusedError, SamplingError
from evals.evaluation.evaluation import EvaluatedModel
from evals.evaluation.grading import QUICK
from evals.evaluation.lost_answers import ask_lost_again, lost_answers
from evals.records import Price
from evals.sampling.budget import Budget
from evals.sampling.progress.snapshot import ProgressSink
from flows.evaluation.judges import judge_costs, judges_at_work
from flows.evaluation.lost_answers.slow_round import lost_answers_plan
from flows.evaluation.open_run import evaluated_model
from flows.freezing.question import ROLE, Question
from flows.freezing.same_model import require_answers_of_it, require_same_model
from flows.platforms.base import HostingPlatform
from flows.platforms.table import open_platform

__all__ = ["Asked", "ask_all"]

_ONLY = 1
"""The one round of a freeze."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How the asking ended: the model's price, how many answers stay `lost` or `unscored`, and why it is not certain whose they are."""

    price: Price | None
    lost: int
    unscored: int
    unverified: str


async def ask_all(question: Question, progress: ProgressSink | None) -> Asked:
    """Ask and grade everything. Answers of an earlier process on the same question count.

    Raises:
        RefusedError: the target's budget ended it, or another model than the live one answered, before or after.
        SamplingError: the model can't be asked, or answers no more.
    """
    target = question.plan.target
    stated = target.sampling
    budget = Budget(usd=stated.get("budget_usd"), tokens=stated.get("budget_tokens"))
    spent = judge_costs(question.folder)
    budget.spend(spent.cost_usd or 0.0, spent.tokens)
    platform = open_platform(target.platform, target.options, os.environ)
    try:
        before = await require_same_model(question, platform)
        price = platform.price(question.live.model_id, question.base_model)
        await _ask(question, _model(question, platform, price), budget, progress)
        after = await require_same_model(question, platform)
    finally:
        await platform.aclose()
    require_answers_of_it(question)
    unscored = await _grade(question, budget)
    return Asked(
        price=price,
        lost=lost_answers(question.evaluation, _ONLY)[ROLE],
        unscored=unscored,
        unverified=before or after,
    )


def _model(question: Question, platform: HostingPlatform, price: Price | None) -> EvaluatedModel:
    live = question.live
    connection = platform.connect(live.deployment or live.model_id, live.model_id, "production")
    # What is frozen is answered now: nothing is taken from earlier runs.
    return evaluated_model(question.plan.target, ROLE, connection, price=price, fresh=True)


async def _ask(
    question: Question, model: EvaluatedModel, budget: Budget, progress: ProgressSink | None
) -> None:
    evaluation, models = question.evaluation, {ROLE: model}
    try:
        asked = await evaluation.ask(_ONLY, models, progress=progress, budget=budget)
        if stopped := next((one.reason for one in asked if one.stopped), ""):
            raise RefusedError(
                stopped,
                hint="what was answered is kept: raise the target's 'sampling' budget and give the same command again",
            )
        plan = lost_answers_plan(question.plan.target)
        await ask_lost_again(evaluation, _ONLY, models, plan, progress=progress, budget=budget)
    except SamplingError as error:
        error.add_note("nothing was frozen; what was answered is kept for the same command")
        raise
    evaluation.seal()


async def _grade(question: Question, budget: Budget) -> int:
    """Have answers scored; return how many have no score since no judge can be asked. A later run scores them."""
    async with judges_at_work(question.plan.judge, question.folder, budget):
        await question.evaluation.grade(QUICK)
    return question.evaluation.lost_grades()
