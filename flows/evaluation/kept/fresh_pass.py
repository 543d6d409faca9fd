"""The fresh pass: what has just gone live is asked all its suites once more, on its production deployment, and the answers are kept.

They are the reference that regression runs hold it against. The answers that won the promotion are a lucky draw: of several
equal models the one that was lucky is promoted more often. They stand in only where no fresh ones could be had.

Nothing is taken from stored answers. A pass that was killed goes on from its journal; one that failed is on record with the
reason, and is made again only when a person says so.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from evals.errors import GatewrightError, InfrastructureError, RefusedError
from evals.evaluation.evaluation import EvaluatedModel, Evaluation
from evals.evaluation.kept_answers import AnswersToKeep, keep_answers
from evals.evaluation.lost_answers import ask_lost_again
from evals.records import MODEL_OUTCOMES, LivePointer
from evals.sampling.budget import Budget
from evals.sampling.journal.journal import Journal
from evals.sampling.progress.snapshot import ProgressSink
from flows.deployments.identity import slot_name
from flows.deployments.standing import astray
from flows.evaluation.kept.keep import how_asked, kept_place, names_of
from flows.evaluation.kept.objections import objection
from flows.evaluation.lost_answers.slow_round import lost_answers_plan
from flows.evaluation.open_run import (
    TargetPlan,
    evaluated_model,
    load_plan,
    most_tokens,
)
from flows.evaluation.progress import WaitsOfAsking
from flows.platforms.base import Platform
from flows.platforms.table import open_platform
from flows.registry.eligibility import refuse_blank
from flows.registry.kept_answers import KeptReference
from flows.registry.opening import open_registry, require_live, require_run
from flows.registry.provenance import base_model_of, origin
from flows.registry.records import AUTOMATION
from flows.registry.references import PassFailed, ReferencePass
from flows.registry.store import Registry
from flows.settings import Settings

_log = logging.getLogger(__name__)

__all__ = ["FreshPass", "pass_budget", "pass_over", "take_reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshPass:
    """What a pass over what is live came to: the answers that were kept, or why there are none."""

    target: str
    model_id: str
    generation: int
    kept: KeptReference | None = None
    why: str = ""


def pass_budget(plan: TargetPlan) -> Budget:
    """What a pass may cost: `regression.reference_budget_usd`, else what a run may."""
    stated = plan.target.sampling
    usd = plan.target.regression.get("reference_budget_usd", stated.get("budget_usd"))
    return Budget(usd=usd, tokens=stated.get("budget_tokens"))


async def pass_over(settings: Settings, run_id: str) -> FreshPass | None:
    """Make the pass that is due after a run made its candidate live; None when none is, or it was made. Never raises for a
    pass that fails: that is on record, and the model stays live.
    """
    with open_registry(settings) as registry:
        target = require_run(registry, run_id).target
        live = registry.live(target)
        if live is None or live.run_id != run_id:
            return None
        generation = origin(registry, live).generation
        if registry.reference_passes(target, generation):
            return None
    try:
        return await take_reference(settings, target, actor=AUTOMATION)
    except (GatewrightError, OSError) as error:  # of a file that was changed, or a full disk
        _log.warning("%s has no fresh answers of %s: %s", target, live.model_id, error)
        return FreshPass(
            target=target, model_id=live.model_id, generation=generation, why=str(error)
        )


async def take_reference(
    settings: Settings,
    target: str,
    *,
    actor: str,
    reason: str = "",
    progress: ProgressSink | None = None,
) -> FreshPass:
    """Ask what is live all its suites, on its production deployment, and keep the answers as its reference.

    A failure of the platform or of the budget is put on record, and is in what is returned. What speaks against taking it,
    by `objections`, takes a `reason`, which is on record with it then; that another model stands there, nothing does away with.

    Raises:
        RefusedError: something speaks against it and there is no reason, or nobody who gives it.
        ConfigurationError: nothing is live, or target, gate or suites have problems.
    """
    plan = load_plan(settings, target)
    with open_registry(settings) as registry:
        live = require_live(registry, target)
        generation = origin(registry, live).generation
        despite = objection(registry, live)
        if despite and actor != AUTOMATION:
            _require_reason(target, despite, actor, reason)
        try:
            if despite and actor == AUTOMATION:
                raise RefusedError(despite)
            done = await _pass(settings, registry, plan, live, generation, progress)
        except (GatewrightError, OSError) as error:
            why = " ".join(str(error).split())[:400]
            failed = PassFailed(generation=generation, why=why)
            registry.save_reference_failure(target, live.model_id, failed, actor=actor)
            return FreshPass(target=target, model_id=live.model_id, generation=generation, why=why)
        done = replace(done, despite=despite)
        registry.save_reference(target, live.model_id, done, actor=actor, reason=reason)
        kept = registry.reference(target, generation)
    return FreshPass(target=target, model_id=live.model_id, generation=generation, kept=kept)


def _require_reason(target: str, despite: str, actor: str, reason: str) -> None:
    if not reason:
        raise RefusedError(
            f"{despite}: as the reference, its answers of now would make later regression runs steady; nothing was asked",
            hint=f"gatewright rollback {target} --reason '…' goes back; gatewright reference {target} --reason '…' takes"
            " it on your word, which stays on record",
        )
    refuse_blank(actor, reason)


async def _pass(
    settings: Settings,
    registry: Registry,
    plan: TargetPlan,
    live: LivePointer,
    generation: int,
    progress: ProgressSink | None,
) -> ReferencePass:
    budget = pass_budget(plan)
    if budget.usd == 0:
        raise InfrastructureError("the target has none made (regression.reference_budget_usd: 0)")
    number = registry.reference_passes(plan.target.name, generation)
    evaluation = _evaluation(settings, plan, f"{plan.target.name}-reference-{generation}-{number}")
    platform = open_platform(plan.target.platform, plan.target.options, os.environ)
    try:
        await _require_served(platform, live)
        base = base_model_of(registry, plan.target.name, live.model_id)
        model = evaluated_model(
            plan.target,
            "candidate",
            platform.connect(live.deployment or live.model_id, live.model_id, "production"),
            price=platform.price(live.model_id, base),
            fresh=True,
        )
        await _ask(evaluation, plan, model, budget, progress or WaitsOfAsking())
        await _require_served(platform, live)
    finally:
        await platform.aclose()
    _require_answered(evaluation, plan)
    origin_of = {
        "target": plan.target.name,
        "model_id": live.model_id,
        "run_id": evaluation.run_id,
        "kept_at": live.since,
        "price": model.price,
    }
    with Journal.open(evaluation.folder / "journal", read_only=True) as journal:
        parts = _parts(plan, evaluation, journal, _own_names(registry, live))
        kept, digest = keep_answers(kept_place(settings, plan.target.name), origin_of, parts)
    answers = sum(one.answers for one in kept.record.suites)
    cost = budget.spent_usd if model.price is not None else None
    return ReferencePass(generation=generation, digest=digest, answers=answers, cost_usd=cost)


async def _require_served(platform: Platform, live: LivePointer) -> None:
    """See that what is asked is what is recorded as live: another model's answers are no measure of it."""
    found = await astray(platform, live)
    if found is not None:
        raise InfrastructureError(
            f"{found.message}; `gatewright verify {live.target}` shows it and puts it right"
        )


def _evaluation(settings: Settings, plan: TargetPlan, name: str) -> Evaluation:
    return Evaluation(
        run_id=name,
        folder=settings.home / "references" / name,
        suites=plan.suites,
        roles=("candidate",),
        repeats=plan.repeats,
        most_tokens=most_tokens(plan.target, ("candidate",)),
    )


async def _ask(
    evaluation: Evaluation,
    plan: TargetPlan,
    model: EvaluatedModel,
    budget: Budget,
    progress: ProgressSink,
) -> None:
    evaluation.folder.mkdir(parents=True, exist_ok=True)
    asked = await evaluation.ask(1, {"candidate": model}, progress=progress, budget=budget)
    stopped = [one.reason for one in asked if one.stopped]
    if stopped:
        raise InfrastructureError(stopped[0])
    lost = lost_answers_plan(plan.target)
    await ask_lost_again(
        evaluation, 1, {"candidate": model}, lost, progress=progress, budget=budget
    )


def _require_answered(evaluation: Evaluation, plan: TargetPlan) -> None:
    """A reference that lacks more answers than the gate lets a run lack proves too little."""
    for opened in plan.suites:
        asked = len(opened.suite.cases) * evaluation.repeats_of(opened)
        answers = evaluation.responses("candidate", opened.suite.name)
        got = sum(one.outcome in MODEL_OUTCOMES for one in answers)
        if got < plan.policy.min_scored * asked:
            raise InfrastructureError(
                f"only {got:,} of {asked:,} questions of {opened.suite.name} were answered,"
                f" the policy asks for {plan.policy.min_scored:.2%}"
            )


def _own_names(registry: Registry, live: LivePointer) -> frozenset[str]:
    run = registry.run(live.run_id) if live.run_id else None
    return names_of(live) | ({slot_name(run)} if run else set())


def _parts(
    plan: TargetPlan, evaluation: Evaluation, journal: Journal, names: frozenset[str]
) -> Iterator[AnswersToKeep]:
    for opened in plan.suites:
        yield AnswersToKeep(
            opened=opened,
            entries=journal.entries("candidate", opened.suite.name),
            rows=evaluation.asked(opened, 1),
            repeats=evaluation.repeats_of(opened),
            asked_with=how_asked(plan.target, opened, "candidate"),
            own_names=names,
        )
