"""Judges stored answers again: by another policy, or a model against itself. Nothing is asked, nothing is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evals.errors import RefusedError
from evals.evaluation.kept_results import KeptEvidence
from evals.evaluation.rejudge import rejudge_stored
from evals.gate.policy import GatePolicy, load_policy
from evals.gate.validation import validate_policy
from evals.records import Role, Verdict
from evals.selftest.aa_test import SameModel, same_model
from flows.evaluation.kept.pinned import kept_evidence
from flows.evaluation.kept.recorded_baseline import frozen_evidence
from flows.evaluation.looks import models_of
from flows.evaluation.open_run import OpenRun, open_run
from flows.evaluation.tries.counted import counted_as_stored
from flows.settings import Settings

__all__ = ["judge_against_itself", "rejudge"]


def rejudge(
    settings: Settings, run_id: str, policy_file: Path | None = None, against: str = ""
) -> Verdict:
    """Judge a run's stored answers by a policy file, or by its own gate; costs nothing and changes nothing.

    `against` is "frozen" or "frozen:ID": its candidate is held against those frozen answers, whatever the run compared with.

    A run that stopped early is judged at the looks it made, on the cases that were asked whatever their slice. What
    would have needed more answers is INCONCLUSIVE then.

    Raises:
        ConfigurationError: there is no such run, or the policy does not fit the run's suites.
        RefusedError: a promotion without a verdict: to see what it will come to would be a try that nobody counts.
    """
    with open_run(settings, run_id) as run:
        if run.record.kind == "promotion" and run.registry.verdict(run_id) is None:
            raise RefusedError(
                f"{run_id} is not judged yet: go on with it first (gatewright resume {run_id})"
            )
        policy = run.policy if policy_file is None else _fitting(run, policy_file)
        verdict = rejudge_stored(
            run.evaluation,
            policy,
            models_of(run),
            release=run.record.kind == "promotion",
            kept=_against_frozen(run, policy, against) if against else kept_evidence(run, policy),
        )
        return counted_as_stored(run, verdict)


def _against_frozen(run: OpenRun, policy: GatePolicy, against: str) -> KeptEvidence:
    beside = kept_evidence(run, policy)
    frozen = frozen_evidence(run, against)
    return replace(frozen, anchor=beside.anchor, anchor_problem=beside.anchor_problem)


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
