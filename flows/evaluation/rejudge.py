"""Judges stored answers again: by another policy, or a model against itself. Nothing is asked, nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.gate.look_store import LookStore
from evals.gate.policy import GatePolicy, load_policy
from evals.gate.replay import rejudge_looks
from evals.gate.validation import validate_policy
from evals.metrics.results import ModelResults
from evals.records import Role, Verdict
from evals.selftest.aa_test import SameModel, same_model
from flows.evaluation.looks import Results, evidence_at, results_at, standing
from flows.evaluation.open_run import OpenRun, open_run
from flows.settings import Settings

__all__ = ["judge_against_itself", "rejudge"]


def rejudge(settings: Settings, run_id: str, policy_file: Path | None = None) -> Verdict:
    """Judge a run's stored answers by a policy file, or by its own gate; costs nothing and changes nothing.

    A run that stopped early is judged at the looks it made, on the cases that were asked whatever their slice. What
    would have needed more answers is INCONCLUSIVE then.

    Raises:
        ConfigurationError: there is no such run, or the policy does not fit the run's suites.
    """
    with open_run(settings, run_id) as run:
        policy = run.policy if policy_file is None else _fitting(run, policy_file)
        look, looks = standing(run)
        own = {event.policy_digest for event in looks.past} if looks is not None else set()
        if looks is None or own == {policy.digest}:
            return judge(policy, evidence_at(run, results_at(run, look)), looks)
        last, rounds = _last_made(run, look), run.evaluation.rounds
        results = results_at(run, last)
        whole = last == rounds and _whole(run)
        if whole and not policy.early_stop:
            return judge(policy, evidence_at(run, results))
        return rejudge_looks(
            policy,
            lambda step, where: _cut(run, results, step, where),
            rounds if whole else max(rounds, last + 1),  # what ended early has no final look
            last,
        )


def _cut(run: OpenRun, results: Results, look: int, where: Mapping[str, str]) -> Evidence:
    """The evidence of a look, as far as it is a fair sample of the cases with some tags."""
    cut: dict[Role, dict[str, ModelResults]] = {}
    for role, by_suite in results.items():
        for opened in run.plan.suites:
            found = by_suite[opened.suite.name]
            planned = run.evaluation.asked(opened, look, role, where)
            cut.setdefault(role, {})[found.suite] = replace(found, planned=planned)
    return evidence_at(run, cut)


def judge_against_itself(settings: Settings, run_id: str, role: Role = "candidate") -> SameModel:
    """Judge one model of a run against itself, repeat against repeat (A/A).

    Raises:
        ValueError: the run asked every case once only, or its gate compares nothing.
    """
    with open_run(settings, run_id) as run:
        model = run.record.candidate_model if role == "candidate" else run.record.baseline_model
        answers = [
            (
                opened,
                run.evaluation.responses(role, opened.suite.name),
                run.evaluation.scores(role, opened),
            )
            for opened in run.plan.suites
        ]
        return same_model(run.policy, answers, model_id=model or "")


def _fitting(run: OpenRun, policy_file: Path) -> GatePolicy:
    policy = load_policy(policy_file)
    validate_policy(policy, run.plan.suites)
    return policy


def _last_made(run: OpenRun, look: int) -> int:
    made = [event.look for event in LookStore(run.folder).events()]
    return min(run.evaluation.rounds, max([look, *made]) if made else look)


def _whole(run: OpenRun) -> bool:
    """Whether every case of every suite was asked of every model."""
    rounds = run.evaluation.rounds
    return all(
        run.evaluation.fair_look(opened, rounds, role, {}) == rounds
        for opened in run.plan.suites
        for role in run.evaluation.roles
    )
