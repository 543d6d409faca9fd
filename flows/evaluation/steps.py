"""The steps of a run up to its verdict, as plain functions: no Prefect here, every step safe to do again.

    request -> resolve -> preflight -> deploy -> ask (round by round) -> conclude -> clean up

A step takes the run's id and opens what it needs; all it leaves is in the registry and in the run's folder, so that a
run killed between two steps, or within one, goes on from there.
"""

from __future__ import annotations

import logging

import msgspec

from evals.config.documents import raise_problems
from evals.errors import PlatformError, Problem
from evals.gate.judge import judge, worst
from evals.gate.look_store import LookStore
from evals.records import Role, Verdict
from evals.sampling.progress.snapshot import ProgressSink
from evals.sampling.summary import SamplingSummary
from flows.deployments.identity import slot_name
from flows.deployments.pausing import pausing_findings
from flows.evaluation.ask import ask_models, budget_of, candidate_connection, stop_reasons
from flows.evaluation.estimate import expected_findings, last_results
from flows.evaluation.human_labels import keep_labels, with_kept_labels
from flows.evaluation.judge_preflight import judge_findings
from flows.evaluation.judges import judge_costs, judges_at_work
from flows.evaluation.kept.anchor import anchor_findings
from flows.evaluation.kept.pinned import pin_earlier_models
from flows.evaluation.kept.recorded_baseline import grade_recorded
from flows.evaluation.looks import (
    Results,
    due_look,
    evidence_at,
    fair_part,
    require_looks_kept,
    require_same_gate,
    results_at,
)
from flows.evaluation.lost_answers.slow_round import grade_lost_again
from flows.evaluation.obstacles import disk_findings, hold_findings
from flows.evaluation.open_run import OpenRun, open_run
from flows.evaluation.progress import waits_shown
from flows.evaluation.training_overlap import look_for_leaks
from flows.evaluation.tries.counted import counted, counted_as_stored
from flows.evaluation.tries.judged_by import keep_judged_by
from flows.files import write_record
from flows.platforms.base import Finding
from flows.settings import Settings

__all__ = [
    "ask_round",
    "clean_up",
    "conclude",
    "deploy_candidate",
    "judged_anew",
    "preflight",
    "rounds",
    "rounds_due",
]

_log = logging.getLogger(__name__)


async def preflight(settings: Settings, run_id: str) -> tuple[Finding, ...]:
    """Look at all that could stop the run, before money is spent.

    Raises:
        PlatformError: nothing listens where the platform should answer.
        ConfigurationError: with every finding that forbids going on.
    """
    with open_run(settings, run_id) as run, waits_shown(run.folder):
        run.registry.set_run_state(run_id, "preflight")
        assert run.record.candidate is not None
        try:
            absent = await run.platform.reach()
            if absent is not None:
                raise PlatformError(absent.message, hint=absent.fix)
            found = await run.platform.preflight(
                run.record.candidate, (run.target.developer, run.target.production)
            )
            found += await pausing_findings(run.target, run.platform)
            found += _expected(run) + disk_findings(run)
            leaks, refused = await look_for_leaks(run)
            if run.record.kind == "promotion":
                found += hold_findings(run.registry, run.target.name)
            found += leaks + await _judges(run) + anchor_findings(run)
        finally:
            await run.platform.aclose()
        write_record(run.folder / "preflight.json", list(found))
    problems = [
        Problem(where=run.target.path, field=item.name, message=item.message, fix=item.fix or None)
        for item in found
        if item.level == "fail"
    ]
    raise_problems([*problems, *refused])
    return found


def _expected(run: OpenRun) -> tuple[Finding, ...]:
    roles: list[Role] = ["candidate", "baseline"]
    asked = {role: one for role in roles if (one := run.asked(role)) is not None}
    seen = last_results(run.registry, run.target.name)
    return expected_findings(run.plan, run.platform, asked, seen)


async def deploy_candidate(settings: Settings, run_id: str) -> str:
    """Deploy the candidate to its developer slot and wait until it really answers. Returns the deployment's name."""
    with open_run(settings, run_id) as run:
        run.registry.set_run_state(run_id, "deploying")
        try:
            await candidate_connection(run)
        finally:
            await run.platform.aclose()
        return slot_name(run.record)


async def ask_round(
    settings: Settings, run_id: str, look: int, *, progress: ProgressSink | None = None
) -> tuple[SamplingSummary, ...]:
    """Ask both models the cases of one round that have no answer yet, and grade the answers; in the last round also, slowly, what
    was lost before.

    A developer slot that disappears while it is asked (it lives 24 h) is deployed again and the round goes on.
    """
    with open_run(settings, run_id) as run:
        run.registry.set_run_state(run_id, "evaluating")
        run.keep_deal()
        try:
            budget = budget_of(run)
            summary = await ask_models(run, look, progress, budget)
        finally:
            await run.platform.aclose()
        async with judges_at_work(run.plan.judge, run.folder, budget):
            await run.evaluation.grade()
            await grade_recorded(run)
            if run.record.kind != "regression":
                await pin_earlier_models(run)
        if look == run.evaluation.rounds:
            await grade_lost_again(run, budget, progress)
        return summary


def rounds(settings: Settings, run_id: str) -> int:
    """How many rounds the run has at most."""
    with open_run(settings, run_id) as run:
        return run.evaluation.rounds


def rounds_due(settings: Settings, run_id: str) -> range:
    """The rounds that are still to be asked, from 1: those after the last look, or the one that the asking ended with.

    Each asks again for what was lost in those before.
    """
    with open_run(settings, run_id) as run:
        made = LookStore(run.folder).events()
        last = made[-1] if made else None
        if last is not None and last.stop:
            return range(last.look, last.look + 1)
        return range(last.look + 1 if last else 1, run.evaluation.rounds + 1)


def conclude(settings: Settings, run_id: str) -> Verdict:
    """Judge what was answered, and store verdict and results. Judging again gives the stored verdict."""
    with open_run(settings, run_id) as run:
        stored = run.registry.verdict(run_id)
        if stored is not None:
            return stored
        keep_labels(run)
        verdict, results, fair = _judge(run)
        require_looks_kept(run, verdict.evidence_digest)
        keep_judged_by(run)
        verdict = counted(run, verdict, results)
        for check in verdict.checks:
            _log.info("%s: %s: %s", run_id, check.outcome, check.reason)
        for result in run.evaluation.summaries(results, fair):
            run.registry.save_suite_result(result)
        run.registry.save_verdict(run_id, verdict)
        run.registry.supersede(run_id)
        run.registry.set_run_state(run_id, "judged", "; ".join(verdict.reasons)[:500])
        write_record(run.folder / "verdict.json", verdict)
        run.evaluation.seal()
        return verdict


def judged_anew(run: OpenRun) -> Verdict:
    """Judge what lies in a run's journals once more, storing nothing. Raises ConfigurationError on another gate."""
    return counted_as_stored(run, _judge(with_kept_labels(run))[0])


async def clean_up(settings: Settings, run_id: str) -> None:
    """Delete the candidate's developer slot, whatever happened before."""
    with open_run(settings, run_id) as run, waits_shown(run.folder):
        if run.record.kind == "regression" or not run.record.candidate_model:
            return
        try:
            await run.platform.delete(slot_name(run.record))
        finally:
            await run.platform.aclose()


def _judge(run: OpenRun) -> tuple[Verdict, Results, Results]:
    """Judge at the look the run came to; also gives what both models answered, and its fair part."""
    require_same_gate(run)
    look, looks = due_look(run)
    results = results_at(run, look)
    fair = fair_part(run, look, results)
    verdict = judge(run.policy, evidence_at(run, results), looks)
    judges = judge_costs(run.folder).stopped
    return _with_stop(verdict, (*stop_reasons(run), *filter(None, [judges]))), results, fair


def _with_stop(verdict: Verdict, stop_reasons: tuple[str, ...]) -> Verdict:
    """A run that its budget ended is never better than inconclusive, and says why."""
    if not stop_reasons:
        return verdict
    return msgspec.structs.replace(
        verdict,
        outcome=worst([verdict.outcome, "INCONCLUSIVE"]),
        reasons=(*stop_reasons, *(verdict.reasons if verdict.outcome != "PASS" else ())),
    )


async def _judges(run: OpenRun) -> tuple[Finding, ...]:
    models: dict[Role, str] = {
        "candidate": run.record.candidate_model,
        "baseline": (run.record.baseline_model or "") if run.asks_baseline else "",
    }
    return await judge_findings(
        run.plan.judge,
        run.plan.suites,
        models,
        run.target.path,
        ceiling_usd=run.target.sampling.get("budget_usd"),
    )
