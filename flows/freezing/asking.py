"""Asks the live model all of a freeze that has no answer yet, slowly again for what was lost, and has the answers graded."""

from __future__ import annotations

import os

from evals.errors import InfrastructureError, RefusedError, SamplingError
from evals.evaluation.evaluation import EvaluatedModel
from evals.evaluation.grading import QUICK
from evals.evaluation.lost_answers import SLOW_GRADING, ask_lost_again, lost_answers
from evals.records import Price
from evals.sampling.budget import Budget
from evals.sampling.progress.snapshot import ProgressSink
from evals.sampling.progress.waits import wait_telling
from flows.evaluation.judges import judge_costs, judges_at_work
from flows.evaluation.lost_answers.slow_round import lost_answers_plan
from flows.evaluation.open_run import evaluated_model
from flows.freezing.question import ROLE, Question
from flows.platforms.base import HostingPlatform
from flows.platforms.table import open_platform

__all__ = ["ask_all"]

_ONLY = 1
"""The one round of a freeze."""


async def ask_all(question: Question, progress: ProgressSink | None) -> tuple[Price | None, int]:
    """Ask and grade everything; return the price of the model, and how many answers stay lost.

    Answers of an earlier process on the same question count. Raises:
        RefusedError: the target's budget ended it.
        SamplingError: the model can't be asked, or answers no more.
        InfrastructureError: judges can't be reached, so that answers have no score.
    """
    target = question.plan.target
    stated = target.sampling
    budget = Budget(usd=stated.get("budget_usd"), tokens=stated.get("budget_tokens"))
    spent = judge_costs(question.folder)
    budget.spend(spent.cost_usd or 0.0, spent.tokens)
    platform = open_platform(target.platform, target.options, os.environ)
    try:
        price = platform.price(question.live.model_id, question.base_model)
        await _ask(question, _model(question, platform, price), budget, progress)
    finally:
        await platform.aclose()
    await _grade(question, budget)
    return price, lost_answers(question.evaluation, _ONLY)[ROLE]


def _model(question: Question, platform: HostingPlatform, price: Price | None) -> EvaluatedModel:
    live = question.live
    connection = platform.connect(live.deployment or live.model_id, live.model_id, "production")
    # What is frozen is answered now: nothing is taken from runs of before.
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


async def _grade(question: Question, budget: Budget) -> None:
    evaluation, plan = question.evaluation, lost_answers_plan(question.plan.target)
    for turn in range(plan.attempts + 1):
        if turn:
            await wait_telling(plan.wait_before(turn), lambda left: None)
        async with judges_at_work(question.plan.judge, question.folder, budget):
            await evaluation.grade(SLOW_GRADING if turn else QUICK)
        if not evaluation.lost_grades():
            return
        if judge_costs(question.folder).stopped:
            break
    raise InfrastructureError(
        f"{evaluation.lost_grades():,} answers have no score, since their judge could not be asked:"
        f" {judge_costs(question.folder).stopped or 'it answered nothing'}; give the same command again, which asks nothing twice"
    )
