"""Judged runs that are taken up again because answers were lost: the verdict is withdrawn, and stays in the chain of events."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from evals.errors import RefusedError
from evals.records import Record, VerdictOutcome, decode, digest
from flows.registry import eligibility, run_states, verdicts
from flows.registry.database import schema
from flows.registry.database.engine import Writer
from flows.registry.records import RunRecord
from flows.registry.runs import require

__all__ = ["RETRIED", "Retry", "begin_retry", "retries_of"]

RETRIED = "run_retried"
"""The kind of event; its `data` holds the verdict that was withdrawn, and the numbers of the events that told of it."""


class Retry(Record, frozen=True, kw_only=True):
    """A retry of a run: who asked for it and when, what the verdict was until then, how many answers were missing."""

    at: str
    actor: str
    outcome: VerdictOutcome
    evidence_digest: str
    missing: int


def begin_retry(writer: Writer, run_id: str, *, actor: str, missing: int) -> RunRecord:
    """Withdraw the verdict of a run whose answers were lost in part, so that it can be asked on and judged once more.

    What people answered to that verdict is bound to its evidence, and void with it.

    Raises:
        RefusedError: there is no verdict that answers could still change, or a production one was given already.
    """
    run = require(writer.connection, run_id)
    verdict = verdicts.require_verdict(writer.connection, run_id, "developer")
    if verdict.outcome not in ("INCONCLUSIVE", "ERROR") and not verdict.fails_for_lost_answers:
        raise RefusedError(f"the verdict of {run_id} is {verdict.outcome}, and stands")
    if verdicts.verdict(writer.connection, run_id, "production") is not None:
        raise RefusedError(f"{run_id} was measured in production already")
    _lift_refusal(writer, run, actor)
    withdrawn = _withdraw(writer.connection, run_id)
    writer.append(
        RETRIED,
        actor=actor,
        reason=f"{missing} answers were missing",
        target=run.target,
        run_id=run_id,
        model_id=verdict.candidate_model,
        from_model=verdict.baseline_model,
        evidence_digest=verdict.evidence_digest,
        data={
            "withdrawn": withdrawn,
            "outcome": verdict.outcome,
            "missing": missing,
            "digest": digest(verdict),
            "verdict": verdict,
        },
    )
    detail = f"asks for lost answers again, which {actor} wanted"
    return run_states.set_state(writer, run_id, "evaluating", detail, actor=actor)


def retries_of(connection: Connection, run_id: str) -> tuple[Retry, ...]:
    """Return the retries of a run, oldest first."""
    query = (
        select(schema.events)
        .where(schema.events.c.run_id == run_id, schema.events.c.kind == RETRIED)
        .order_by(schema.events.c.seq)
    )
    return tuple(
        Retry(
            at=row.at,
            actor=row.actor,
            outcome=facts.outcome,
            evidence_digest=row.evidence_digest,
            missing=facts.missing,
        )
        for row in connection.execute(query)
        for facts in [decode(row.data, _Facts)]
    )


class _Facts(Record, frozen=True, kw_only=True, forbid_unknown_fields=False):
    outcome: VerdictOutcome
    missing: int


def _lift_refusal(writer: Writer, run: RunRecord, actor: str) -> None:
    """The verdict that barred the model is withdrawn; barred for anything else it stays."""
    barred = eligibility.barring_event(writer.connection, run.target, run.candidate_model)
    if barred is not None and (barred.kind, barred.run_id) == ("model_refused", run.run_id):
        reason = f"{run.run_id} failed for lost answers only, and is judged once more"
        eligibility.reinstate(writer, run.target, run.candidate_model, actor=actor, reason=reason)


def _withdraw(connection: Connection, run_id: str) -> Sequence[int]:
    """Take verdict and suite results of a run out of their tables; return the numbers of their events."""
    numbers: list[int] = []
    for table in (schema.verdicts, schema.suite_results):
        mine = (table.c.run_id == run_id, table.c.slot == "developer")
        numbers += connection.execute(select(table.c.seq).where(*mine)).scalars()
        connection.execute(delete(table).where(*mine))
    return sorted(numbers)
