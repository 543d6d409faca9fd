"""Taking up again a judged run that lacks answers: what was lost is asked for, and the run is judged anew.

This is the same try, and no second one. Missing answers counted at their worst in the first judgement, so that it passed only
where every possible answer passes; whatever passes of the two together passes with all the answers as well. A FAIL is only
taken up when nothing failed but how much was answered: an outage lowers that too.
"""

from __future__ import annotations

from evals.errors import RefusedError
from evals.evaluation.lost_answers import lost_answers
from evals.gate.judge import evidence_digest
from evals.gate.look_store import LookStore
from evals.records import Verdict
from flows.evaluation.human_labels import with_kept_labels
from flows.evaluation.looks import due_look, evidence_at, results_at
from flows.evaluation.open_run import OpenRun, open_run
from flows.registry.judge_anew import promote_command
from flows.registry.records import RunState
from flows.settings import Settings

__all__ = ["begin_retry", "missing_answers", "why_no_retry"]

_OPEN: frozenset[RunState] = frozenset({"judged", "waiting", "inconclusive", "refused", "failed"})


def begin_retry(settings: Settings, run_id: str, *, actor: str) -> int:
    """Open a judged run again for the answers it lacks; returns how many. Then it goes on like a run that was stopped.

    Raises:
        RefusedError: the run lacks no answers, its verdict would not change by them, or no more may be asked of it.
    """
    with open_run(settings, run_id) as run:
        if reason := why_no_retry(run) or _why_other_evidence(run):
            raise RefusedError(reason)
        missing = missing_answers(run)
        # Before the registry: a kill in between leaves a judged run whose last look is made again, by the next retry.
        LookStore(run.folder).reopen(run.evaluation.rounds)
        run.registry.begin_retry(run_id, actor=actor, missing=missing)
        return missing


def missing_answers(run: OpenRun) -> int:
    """How many answers, and grades of judges, a run lacks at its last look."""
    lost = lost_answers(run.evaluation, run.evaluation.rounds)
    return sum(lost.values()) + run.evaluation.lost_grades()


def why_no_retry(run: OpenRun) -> str:
    """Return why a run can't be taken up again for the answers it lacks; empty when it can."""
    run_id, target = run.record.run_id, run.target.name
    verdict = run.registry.verdict(run_id)
    if run.record.kind == "regression":
        return f"{run_id} is a regression run, and those look at one day; ask anew: gatewright regress {target}"
    if verdict is None:
        return f"{run_id} has no verdict yet: gatewright resume {run_id} goes on with it"
    if run.record.state == "promoted":
        return f"{run_id} was promoted: nothing to retry"
    if verdict.outcome == "PASS" or (
        verdict.outcome == "FAIL" and not verdict.fails_for_lost_answers
    ):
        return f"the verdict of {run_id} is {verdict.outcome}, which lost answers would not change: it stands"
    return _why_closed(run) or _why_not_comparable(run, verdict) or _why_nothing_to_ask(run)


def _why_closed(run: OpenRun) -> str:
    record, registry = run.record, run.registry
    if record.state not in _OPEN:
        return f"{record.run_id} is {record.state}"
    rejected = [one for one in registry.answers(record.run_id) if one.decision == "reject"]
    if rejected:
        return f"{record.run_id} was rejected by {rejected[0].actor} at {rejected[0].at}: {rejected[0].reason}"
    if registry.verdict(record.run_id, "production") is not None:
        return f"{record.run_id} was measured in production already"
    if record.baseline_generation != registry.generation(record.target):
        return f"something else was made live since {record.run_id} was judged: start a new run (--again)"
    return ""


def _why_not_comparable(run: OpenRun, verdict: Verdict) -> str:
    if run.policy.digest != verdict.policy_digest:
        return "the gate was changed since the verdict: put it back as it was, or start a new run (--again)"
    changed = [
        opened.suite.name
        for opened in run.plan.suites
        if run.record.fingerprints.get(opened.suite.name) != opened.fingerprint
    ]
    if changed:
        return (
            f"{', '.join(changed)} was changed since the verdict: put it back as it was,"
            " or start a new run (--again)"
        )
    return ""


def _why_other_evidence(run: OpenRun) -> str:
    """Answers that were judged and are gone would be drawn anew, and that is another try."""
    verdict, kept = run.registry.verdict(run.record.run_id), with_kept_labels(run)
    found = evidence_digest(evidence_at(kept, results_at(kept, due_look(kept)[0])))
    if verdict is not None and found == verdict.evidence_digest:
        return ""
    return (
        f"what lies in {run.folder} is not what {run.record.run_id} was judged on: put it back, or start a new run"
        " (--again)"
    )


def _why_nothing_to_ask(run: OpenRun) -> str:
    if run.policy.missing == "at_random":
        return (
            f"missing answers of {run.record.run_id} were left out (missing: at_random), so that judging it once more"
            " would be a second look at the same answers: start a new run (--again)"
        )
    run_id, looks = run.record.run_id, LookStore(run.folder).events()
    if looks and looks[-1].stop and looks[-1].look < run.evaluation.rounds:
        return (
            f"asking of {run_id} ended after look {looks[-1].look} of {looks[-1].rounds}, and not for want of"
            f" answers: {looks[-1].why}; to ask every case:"
            f" {promote_command(run.record, '--no-early-stop')}"
        )
    if not missing_answers(run):
        waits = run.record.state == "waiting"
        instead = "approve or reject it" if waits else "there is nothing to ask for again"
        return f"no answer of {run_id} is missing; {instead}"
    return ""
