"""What the registry itself demands before it lets a promotion switch, whoever asks.

The promoting state machine looks at more (how many approvers, expiry, the policy file). This is the last door, inside
the transaction of the switch: without a verdict that clears this very model against this very baseline, nothing goes
live as a promotion.
"""

from __future__ import annotations

from sqlalchemy import Connection

from evals.errors import RefusedError, StaleGenerationError
from evals.gate.tries.rule import excluded_people, why_no_pass
from evals.people import is_among
from evals.records import Slot, Verdict
from flows.registry import answers, frozen, holds, ledger, runs, verdicts
from flows.registry.eligibility import barring_event
from flows.registry.pointers import live
from flows.registry.records import Binding, NewPointer, RunRecord

__all__ = ["require_cleared"]


def require_cleared(connection: Connection, new: NewPointer, expected_generation: int) -> Verdict:
    """Return the verdict that clears `new`. Raises RefusedError, or StaleGenerationError when the baseline moved."""
    run = _promoting_run(connection, new)
    if run.baseline_generation != expected_generation:
        raise StaleGenerationError(
            f"run {run.run_id} was judged against generation {run.baseline_generation} of {new.target},"
            f" not {expected_generation}: judge it again"
        )
    if (hold := holds.held(connection, new.target)) is not None:
        raise RefusedError(
            f"{new.target} is held by {hold.actor} since {hold.since}: {hold.reason}"
        )
    verdict = verdicts.require_verdict(connection, run.run_id, "developer")
    _refuse_other_models(connection, run, verdict, new)
    _refuse_further_try(connection, run, verdict)
    _refuse_uncleared(connection, run, verdict, "developer")
    production = verdicts.verdict(connection, run.run_id, "production")
    if production is not None:
        _refuse_uncleared(connection, run, production, "production")
    _refuse_revoked(connection, new, run)
    return verdict


def _promoting_run(connection: Connection, new: NewPointer) -> RunRecord:
    if new.run_id is None:
        raise RefusedError("a promotion belongs to a run; this one names none")
    run = runs.require(connection, new.run_id)
    if (run.kind, run.target) != ("promotion", new.target):
        raise RefusedError(
            f"run {run.run_id} is a {run.kind} of {run.target}, no promotion of {new.target}"
        )
    if run.state != "promoting":
        raise RefusedError(f"run {run.run_id} is {run.state}, not promoting")
    return run


def _refuse_other_models(
    connection: Connection, run: RunRecord, verdict: Verdict, new: NewPointer
) -> None:
    if verdict.candidate_model != new.model_id:
        raise RefusedError(f"the verdict is on {verdict.candidate_model}, not on {new.model_id}")
    pointer = live(connection, new.target)
    model = pointer.model_id if pointer is not None else None
    if verdict.baseline_model != model and not (
        model is None and _is_frozen(connection, run, verdict)
    ):
        raise StaleGenerationError(
            f"the verdict compares with {verdict.baseline_model or 'nothing'}; live is {model or 'nothing'}"
        )


def _is_frozen(connection: Connection, run: RunRecord, verdict: Verdict) -> bool:
    """Whether a run was held against a frozen baseline on record, as is right where nothing is live."""
    named = str(run.trigger.get("against", "")).removeprefix(frozen.MARK)
    return any(
        (one.baseline.frozen_id, one.baseline.model_id) == (named, verdict.baseline_model)
        for one in frozen.of_target(connection, run.target)
    )


def _refuse_further_try(connection: Connection, run: RunRecord, verdict: Verdict) -> None:
    """Counted anew, since a try may have come while this one was judged, or the verdict be from before they were counted."""
    if verdict.outcome != "PASS":
        return
    known = verdict.tries
    counted = ledger.count_tries(
        connection,
        run.run_id,
        confidence=known.confidence if known else 0.0,
        window_s=known.window_s if known else ledger.WINDOW_S,
        allowed=known.allowed if known else None,
        together=known.together if known else None,
    )
    if why := why_no_pass(counted):
        raise RefusedError(f"{'; '.join(why)}; judge it again (--again)")


def _refuse_uncleared(connection: Connection, run: RunRecord, verdict: Verdict, slot: Slot) -> None:
    so_far = answers.answers_of(connection, run.run_id, slot)
    if (closed := answers.rejected(so_far)) is not None:
        raise RefusedError(f"rejected by {closed.actor} at {closed.at}: {closed.reason}")
    missing = verdicts.shortfall(verdict, f"the {slot} verdict")
    if missing is None:
        return
    bound, excluded = Binding.of(verdict), excluded_people(verdict.tries, run.requested_by)
    if not any(
        answer.decision == verdict.takes
        and answer.binding == bound
        and not is_among(answer.actor, excluded)
        for answer in so_far
    ):
        raise RefusedError(missing)


def _refuse_revoked(connection: Connection, new: NewPointer, run: RunRecord) -> None:
    judged = verdicts.judged_at(connection, run.run_id, "developer")
    weights = run.candidate.weights_of if run.candidate else None
    for name in filter(None, (new.model_id, weights)):
        event = barring_event(connection, new.target, name)
        if event is None or event.kind != "model_revoked":
            continue
        if judged is not None and event.seq > judged[1]:
            raise RefusedError(
                f"{name} was revoked after it was judged, by {event.actor}: {event.reason}"
            )
