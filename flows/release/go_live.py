"""Hands a judged run to the guarded act of promotion.

What the act needs from the outside is made here: smoke questions and the checks that are measured on the production
deployment, each in a folder of its own below the run's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from evals.checks.check import Check
from evals.errors import ConfigurationError, Problem
from evals.evaluation.evaluation import EvaluatedModel, Evaluation
from evals.evaluation.lost_answers import ask_lost_again
from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.gate.policy import GatePolicy, load_policy
from evals.gate.recorded import judged_as
from evals.records import MODEL_OUTCOMES, Role, Verdict
from flows.approvals.changes import changed_since_verdict
from flows.config.connections import publishers_of
from flows.config.strategy import fixed_name
from flows.evaluation.judges import judges_at_work
from flows.evaluation.kept.keep import keep_candidate
from flows.evaluation.kept.pinned import kept_evidence
from flows.evaluation.lost_answers.slow_round import lost_answers_plan
from flows.evaluation.open_run import OpenRun, most_tokens, open_run, strata
from flows.evaluation.progress import WaitsOfAsking, waits_shown
from flows.platforms.base import Connection
from flows.release.clearance import Promotion
from flows.release.state_machine import PromotionOutcome, promote
from flows.release.steps import SmokeResult
from flows.settings import Settings

__all__ = ["go_live"]


async def go_live(settings: Settings, run_id: str) -> PromotionOutcome:
    """Promote the candidate of a judged run, if its verdict or a person's answer allows it; safe to call again."""
    with open_run(settings, run_id) as run, waits_shown(run.folder):
        verdict = run.registry.verdict(run_id)
        if verdict is None or run.record.candidate is None:
            raise ConfigurationError(Problem(where=run_id, message="the run has no verdict yet"))
        act = Promotion(
            run_id=run_id,
            candidate=run.record.candidate,
            slot=run.target.production,
            policy_digest=run.policy.digest,
            evidence_digest=verdict.evidence_digest,
            approval=run.policy.approval,
            override=run.policy.override,
            on_inconclusive=run.policy.on_inconclusive,
            production_checks=bool(_production_checks(run)),
            actor=run.record.requested_by,
            strategy=run.target.promotion.strategy,
            deployment=fixed_name(run.target),
        )
        try:
            return await promote(
                act,
                platform=run.platform,
                registry=run.registry,
                publishers=publishers_of(settings, run.target),
                smoke=_smoke(run),
                measure=_measure(run),
                policy_digest_now=lambda: load_policy(Path(run.policy.path)).digest,
                changed_now=lambda: changed_since_verdict(settings, run.registry, run.record),
                keep=lambda: keep_candidate(run),
            )
        finally:
            await run.platform.aclose()


def _smoke(run: OpenRun) -> Callable[[Connection], Awaitable[SmokeResult]]:
    async def smoke(connection: Connection) -> SmokeResult:
        evaluation = _small_contest(
            run, run.folder / "smoke", run.target.promotion.smoke_cases, ("candidate",)
        )
        model = run.evaluated_model("candidate", connection)
        await evaluation.ask(1, {"candidate": model}, progress=WaitsOfAsking())
        answers = [
            response
            for opened in evaluation.suites
            for response in evaluation.responses("candidate", opened.suite.name)
        ]
        failed = [answer for answer in answers if answer.outcome not in MODEL_OUTCOMES]
        sealed = any(opened.suite.sealed for opened in evaluation.suites)
        detail = "; ".join(
            answer.outcome if sealed else f"{answer.case_id}: {answer.outcome}"
            for answer in failed[:3]
        )
        return SmokeResult(asked=len(answers), passed=bool(answers) and not failed, detail=detail)

    return smoke


def _measure(run: OpenRun) -> Callable[[Connection], Awaitable[Verdict | None]]:
    async def measure(connection: Connection) -> Verdict | None:
        due = _production_checks(run)
        if not due:
            return None
        models: dict[Role, EvaluatedModel] = {
            "candidate": run.evaluated_model("candidate", connection)
        }
        pointer = run.registry.live(run.target.name)
        asked = run.record.baseline_model is None or run.asks_baseline
        if pointer is not None and asked and any(check.relative for check in due):
            live = run.platform.connect(
                pointer.deployment or pointer.model_id, pointer.model_id, "production"
            )
            models["baseline"] = run.evaluated_model("baseline", live)
        return await _production_verdict(run, run.policy, models)

    return measure


def _production_checks(run: OpenRun) -> list[Check]:
    """The checks that decide on the production deployment; a shadow check alone is no reason to measure there.

    Nor is a comparison of latency with recorded answers, which decides nothing.
    """
    recorded = bool(run.record.baseline_model) and not run.asks_baseline
    here = [check for check in run.policy.checks if check.measure_on == "production"]
    due = [judged_as(one) if recorded and one.relative else one for one in here]
    return [check for check in due if check.mode == "enforce"]


async def _production_verdict(
    run: OpenRun, policy: GatePolicy, models: dict[Role, EvaluatedModel]
) -> Verdict:
    evaluation = _small_contest(
        run, run.folder / "production", run.target.promotion.production_cases, tuple(models)
    )
    waits = WaitsOfAsking()
    await evaluation.ask(1, models, progress=waits)
    await ask_lost_again(evaluation, 1, models, lost_answers_plan(run.target), progress=waits)
    async with judges_at_work(run.plan.judge, run.folder):
        await evaluation.grade()
    results = evaluation.results(
        1, {role: (model.model_id, model.price) for role, model in models.items()}
    )
    evidence = Evidence(
        candidate=results["candidate"], baseline=results.get("baseline"), slot="production"
    )
    if run.record.baseline_model and not run.asks_baseline:
        evidence = kept_evidence(run).beside(evidence)
    verdict = judge(policy, evidence)
    here = tuple(check for check in verdict.checks if check.measure_on == "production")
    return msgspec.structs.replace(verdict, checks=here)


def _small_contest(run: OpenRun, folder: Path, cases: int, roles: tuple[Role, ...]) -> Evaluation:
    return Evaluation(
        run_id=run.record.run_id,
        folder=folder,
        suites=run.plan.suites,
        roles=roles,
        repeats={opened.suite.name: 1 for opened in run.plan.suites},
        strata=strata(run.policy),
        limit=cases,
        most_tokens=most_tokens(run.target, roles),
    )
