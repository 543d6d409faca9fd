"""What follows from a regression run: nothing, an alert, a hold on automation, or the loss of its standing for the live model.

alert    the event `gatewright.regression.failed` goes to Prefect, for an automation to pass on
hold     automation may not promote until a person releases the target: a baseline that has got worse is a low bar
revoke   the same, and the evidence of the live model is marked as revoked: it stays live until a person goes back, and
         is never gone back to
rollback Gatewright goes back to a warm model that has not failed: see `flows.monitoring.automatic_rollback`

The target also says when (`act_on`): after each run that fails, or only when all runs of the live model together are evidence
enough, which may be looked at as often as one likes. A model that changed without getting worse raises an alert unless
`on_change` is empty; the same change raises it once.
"""

from __future__ import annotations

from evals.records import Record, Verdict
from evals.report.numbers import counted
from evals.report.sections.check import check_view
from evals.report.sections.headline import blocking_checks
from flows.evaluation.open_run import OpenRun, open_run
from flows.monitoring.regression_evidence import (
    accumulated_evidence,
    runs_before,
    store_evidence,
)
from flows.monitoring.regression_words import outcome_of_run
from flows.monitoring.self_pairs import store_pairs
from flows.recovery.earlier_models import rollback_command
from flows.registry.regression_outcomes import RegressionOutcome, RegressionWord
from flows.settings import Settings

__all__ = ["Alert", "alert_of", "apply_outcome", "in_one_line", "speaks_against"]


_NOT_YET = (
    "the evidence of all runs together is not enough for an alarm yet: another run may make it so"
)


class Alert(Record, frozen=True, kw_only=True):
    """What somebody has to be told: which target's live model no longer holds, or is another one, and why."""

    target: str
    run_id: str
    model_id: str
    reason: str
    outcome: RegressionWord
    rolled_back_to: str = ""
    rollback_problem: str = ""


def apply_outcome(settings: Settings, run_id: str) -> str:
    """Close a regression run, put what it came to on record, and act on it as the target's `regression.on_fail` says.

    Returns the word for it. Only what is shown to be worse has consequences; what could not be decided says nothing against
    the live model. With `act_on: evidence` it has them when all runs together are evidence enough. Safe to do again.
    """
    with open_run(settings, run_id) as run:
        verdict = run.registry.verdict(run_id)
        assert verdict is not None, "a regression run is settled after it is judged"
        known = run.registry.regression_outcome(run_id)
        watched = store_evidence(run)
        store_pairs(run)
        outcome = known or run.registry.save_regression_outcome(
            outcome_of_run(run, verdict, watched)
        )
        if speaks_against(run):
            if known is None or not known.rolled_back_to:
                _act(run, verdict, in_one_line(run, verdict))
        elif outcome.outcome == "worse":
            run.registry.set_run_state(run_id, "judged", f"{outcome.why[:380]}; {_NOT_YET}")
        elif verdict.outcome == "ERROR":
            run.registry.set_run_state(run_id, "failed", outcome.why)
        elif outcome.outcome == "cannot_tell":
            run.registry.set_run_state(run_id, "inconclusive", outcome.why)
        else:
            run.registry.set_run_state(run_id, "judged", outcome.why)
        return outcome.outcome


def alert_of(settings: Settings, run_id: str) -> Alert | None:
    """Return what somebody has to be told of a regression run, as its target asks; None for nothing."""
    with open_run(settings, run_id) as run:
        verdict, outcome = run.registry.verdict(run_id), run.registry.regression_outcome(run_id)
        if verdict is None or outcome is None:
            return None
        stated = run.target.regression
        if outcome.outcome == "changed":
            told = "alert" in stated.get("on_change", ["alert"]) and _is_news(run, outcome)
        else:
            told = "alert" in stated.get("on_fail", []) and (
                verdict.outcome == "ERROR" or speaks_against(run)
            )
        if not told:
            return None
        return Alert(
            target=run.target.name,
            run_id=run_id,
            model_id=verdict.candidate_model,
            reason=outcome.why,
            outcome=outcome.outcome,
            rolled_back_to=outcome.rolled_back_to,
            rollback_problem=outcome.rollback_problem,
        )


def speaks_against(run: OpenRun) -> bool:
    """Whether a settled run is one that its target wants to act on."""
    verdict = run.registry.verdict(run.record.run_id)
    if verdict is None:
        return False
    if run.target.regression.get("act_on", "run") == "run":
        return verdict.outcome == "FAIL"
    watched = accumulated_evidence(run)
    alarmed = watched is not None and watched.alarmed
    return alarmed and verdict.outcome in ("FAIL", "INCONCLUSIVE")


def in_one_line(run: OpenRun, verdict: Verdict) -> str:
    """What a run found against the live model, short enough to stand as the reason of a hold, a revocation or a rollback."""
    found = blocking_checks(verdict)
    watched = accumulated_evidence(run)
    if verdict.outcome != "FAIL" and watched is not None and watched.alarmed:
        worst = max(watched.together, key=lambda one: one.log_e)
        said = f"all {worst.runs} runs together speak against {worst.check}"
    elif found:
        more = sum(check.outcome == "FAIL" for check in found[1:])
        rest = f", and {counted(more, 'more check')} failed" if more else ""
        said = f"{check_view(found[0]).short}{rest}"
    else:
        said = "; ".join(verdict.reasons)[:200]
    return f"regression run {run.record.run_id}: {said}"


def _is_news(run: OpenRun, outcome: RegressionOutcome) -> bool:
    """Whether the run before, of the same model, did not say so already."""
    earlier = runs_before(run)
    before = run.registry.regression_outcome(earlier[-1].run_id) if earlier else None
    return before is None or before.outcome != "changed"


def _act(run: OpenRun, verdict: Verdict, reason: str) -> None:
    registry, target, run_id = run.registry, run.target.name, run.record.run_id
    wanted = run.target.regression.get("on_fail", [])
    live = registry.live(target)
    still = live is not None and live.model_id == verdict.candidate_model
    done = {one.kind for one in registry.history(target, 200) if one.run_id == run_id}
    if "revoke" in wanted and "model_revoked" not in done:
        registry.revoke(
            target,
            verdict.candidate_model,
            actor="gatewright",
            reason=reason,
            run_id=run_id,
            evidence_digest=verdict.evidence_digest,
            hold=still,
        )
    # A person may have released the target since: the run holds it once.
    if "hold" in wanted and "hold" not in done and registry.held(target) is None:
        registry.hold(target, actor="gatewright", reason=reason, run_id=run_id)
    registry.set_run_state(run_id, "judged", _offer(run, reason) if still else reason)


def _offer(run: OpenRun, reason: str) -> str:
    """The reason with the way back, where there is one."""
    back = rollback_command(run.registry, run.target.name)
    return f"{reason}; go back to {back.model_id} with: {back.command}" if back else reason
