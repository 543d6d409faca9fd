"""What follows from a regression run: nothing, an alert, a hold on automation, or the loss of its standing for the live model.

alert    the event `gatewright.regression.failed` goes to Prefect, for an automation to pass on
hold     automation may not promote until a person releases the target: a baseline that has got worse is a low bar
revoke   the same, and the evidence of the live model is marked as revoked: it stays live until a person goes back, and
         is never gone back to

What they follow from is the target's word too (`act_on`): each run that fails, or only what all runs of the live model
say together, which may be looked at as often as one likes.
"""

from __future__ import annotations

from evals.records import Record, Verdict
from flows.evaluation.open_run import OpenRun, open_run
from flows.monitoring.regression_evidence import (
    RegressionEvidence,
    accumulated_evidence,
    store_evidence,
)
from flows.monitoring.regression_words import outcome_of_run
from flows.monitoring.self_pairs import store_pairs
from flows.recovery.earlier_models import rollback_command
from flows.settings import Settings

__all__ = ["Alert", "alert_of", "apply_outcome"]


_NOT_YET = (
    "the evidence of all runs together is not enough for an alarm yet: another run may make it so"
)


class Alert(Record, frozen=True, kw_only=True):
    """What somebody has to be told: which target's live model no longer holds, and why."""

    target: str
    run_id: str
    model_id: str
    reason: str


def apply_outcome(settings: Settings, run_id: str) -> str:
    """Close a regression run, put what it came to on record, and act on it as the target's `regression.on_fail` says. Returns the word for it.

    Only a FAIL has consequences; what could not be decided says nothing against the live model. With `act_on: evidence`
    a run that did not pass has them when all runs together are evidence enough. Safe to do again.
    """
    with open_run(settings, run_id) as run:
        verdict = run.registry.verdict(run_id)
        assert verdict is not None, "a regression run is settled after it is judged"
        watched = store_evidence(run)
        store_pairs(run)
        outcome = run.registry.save_regression_outcome(outcome_of_run(run, verdict, watched))
        reason = "; ".join(verdict.reasons)[:500]
        if _speaks_against(run, verdict, watched):
            _act(run, verdict, f"regression run {run_id}: {reason}")
        elif verdict.outcome == "FAIL":
            run.registry.set_run_state(run_id, "judged", f"{reason[:380]}; {_NOT_YET}")
        elif verdict.outcome == "ERROR":
            run.registry.set_run_state(run_id, "failed", reason)
        elif verdict.outcome == "INCONCLUSIVE":
            run.registry.set_run_state(run_id, "inconclusive", reason)
        return outcome.outcome


def alert_of(settings: Settings, run_id: str) -> Alert | None:
    """Return what to tell when a regression run failed and its target asks for an alert; None otherwise."""
    with open_run(settings, run_id) as run:
        verdict = run.registry.verdict(run_id)
        if verdict is None:
            return None
        if verdict.outcome != "ERROR" and not _speaks_against(
            run, verdict, accumulated_evidence(run)
        ):
            return None
        if "alert" not in run.target.regression.get("on_fail", []):
            return None
        return Alert(
            target=run.target.name,
            run_id=run_id,
            model_id=verdict.candidate_model,
            reason="; ".join(verdict.reasons)[:500],
        )


def _speaks_against(run: OpenRun, verdict: Verdict, watched: RegressionEvidence | None) -> bool:
    """Whether a run is one that its target wants to act on."""
    if run.target.regression.get("act_on", "run") == "run":
        return verdict.outcome == "FAIL"
    alarmed = watched is not None and watched.alarmed
    return alarmed and verdict.outcome in ("FAIL", "INCONCLUSIVE")


def _act(run: OpenRun, verdict: Verdict, reason: str) -> None:
    registry, target, run_id = run.registry, run.target.name, run.record.run_id
    wanted = run.target.regression.get("on_fail", [])
    live = registry.live(target)
    still = live is not None and live.model_id == verdict.candidate_model
    done = any(
        event.run_id == run_id and event.kind == "model_revoked"
        for event in registry.history(target, 200)
    )
    if "revoke" in wanted and not done:
        registry.revoke(
            target,
            verdict.candidate_model,
            actor="gatewright",
            reason=reason,
            run_id=run_id,
            evidence_digest=verdict.evidence_digest,
            hold=still,
        )
    if "hold" in wanted and registry.held(target) is None:
        registry.hold(target, actor="gatewright", reason=reason, run_id=run_id)
    registry.set_run_state(run_id, "judged", _offer(run, reason) if still else reason)


def _offer(run: OpenRun, reason: str) -> str:
    """The reason with the way back, where there is one."""
    back = rollback_command(run.registry, run.target.name)
    return f"{reason}; go back to {back.model_id} with: {back.command}" if back else reason
