"""Judges the stored answers of a run again, by its own gate or by another one. Nothing is asked, nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evals.evaluation.evaluation import Evaluation
from evals.evaluation.kept_results import KeptEvidence
from evals.gate.examiner import Evidence
from evals.gate.judge import judge
from evals.gate.look_store import LookStore
from evals.gate.looks import LookHistory
from evals.gate.policy import GatePolicy
from evals.gate.replay import rejudge_looks
from evals.metrics.results import ModelResults
from evals.records import Price, Role, Verdict

__all__ = ["Models", "Results", "due_look", "rejudge_stored", "stored_evidence"]

Models = Mapping[Role, tuple[str, Price | None]]
"""The model id of each role, and the price of its tokens where it is known."""
Results = Mapping[Role, Mapping[str, ModelResults]]
"""What each role answered, by the suite's name."""


def due_look(evaluation: Evaluation) -> tuple[int, LookHistory | None]:
    """The look at which a run's verdict is due, and the looks before it; no looks for a sample of fixed size."""
    rounds = evaluation.rounds
    if rounds == 1:
        return 1, None
    past = LookStore(evaluation.folder).events()
    look = past[-1].look if past and past[-1].stop else rounds
    return look, LookHistory(look=look, rounds=rounds, past=past)


def stored_evidence(
    results: Results, *, release: bool, kept: KeptEvidence | None = None
) -> Evidence:
    """The same results as evidence for the gate; `release` is False for a look at what is live already.

    `kept` are the kept answers of earlier models that are judged with them.
    """
    found = Evidence(
        candidate=results["candidate"], baseline=results.get("baseline"), release=release
    )
    return found if kept is None else kept.beside(found)


def rejudge_stored(
    evaluation: Evaluation,
    policy: GatePolicy,
    models: Models,
    *,
    release: bool,
    kept: KeptEvidence | None = None,
) -> Verdict:
    """Judge what lies in the folder of an evaluation by a policy.

    A run that stopped early is judged at the looks it made, on the cases that were asked whatever their slice. What
    would have needed more answers is INCONCLUSIVE then.

    Raises:
        ValueError: answers or scores that don't belong to the evaluation's suites as they are now.
    """
    look, looks = due_look(evaluation)
    own = {event.policy_digest for event in looks.past} if looks is not None else set()
    if looks is None or own == {policy.digest}:
        found = evaluation.results(look, models)
        return judge(policy, stored_evidence(found, release=release, kept=kept), looks)
    rounds, last = evaluation.rounds, _last_made(evaluation, look)
    results = evaluation.results(last, models)
    whole = last == rounds and _whole(evaluation)
    if whole and not policy.early_stop:
        return judge(policy, stored_evidence(results, release=release, kept=kept))
    return rejudge_looks(
        policy,
        lambda step, where: stored_evidence(
            _cut(evaluation, results, step, where), release=release, kept=kept
        ),
        rounds if whole else max(rounds, last + 1),  # what ended early has no final look
        last,
    )


def _cut(evaluation: Evaluation, results: Results, look: int, where: Mapping[str, str]) -> Results:
    """The results up to a look, as far as they are a fair sample of the cases with some tags."""
    return {
        role: {
            opened.suite.name: replace(
                by_suite[opened.suite.name], planned=evaluation.asked(opened, look, role, where)
            )
            for opened in evaluation.suites
        }
        for role, by_suite in results.items()
    }


def _last_made(evaluation: Evaluation, look: int) -> int:
    made = [event.look for event in LookStore(evaluation.folder).events()]
    return min(evaluation.rounds, max([look, *made]) if made else look)


def _whole(evaluation: Evaluation) -> bool:
    """Whether every case of every suite was asked of every model."""
    rounds = evaluation.rounds
    return all(
        evaluation.fair_look(opened, rounds, role, {}) == rounds
        for opened in evaluation.suites
        for role in evaluation.roles
    )
