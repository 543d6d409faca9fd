"""Verdicts and suite results: written once, never changed."""

from __future__ import annotations

from sqlalchemy import Connection, Table, insert, select
from sqlalchemy.sql import ColumnElement

from evals.errors import RefusedError, RegistryError
from evals.gate.old_verdicts import completed_verdict
from evals.records import Slot, SuiteResult, Verdict, decode, digest
from flows.registry.database.engine import Writer
from flows.registry.database.schema import events, suite_results, verdicts
from flows.registry.records import AUTOMATION, as_text
from flows.registry.runs import require

__all__ = ["judged_at", "require_verdict", "results", "save", "save_result", "shortfall", "verdict"]


def save(
    writer: Writer,
    run_id: str,
    verdict: Verdict,
    slot: Slot = "developer",
    *,
    actor: str = AUTOMATION,
) -> None:
    """Store a verdict. An equal one is no change; a different one raises RegistryError."""
    run, text = require(writer.connection, run_id), as_text(verdict)
    key = (verdicts.c.run_id == run_id, verdicts.c.slot == slot)
    if _known(writer.connection, verdicts, key, digest(verdict), f"the {slot} verdict of {run_id}"):
        return
    event = writer.append(
        "verdict",
        actor=actor,
        reason="; ".join(verdict.reasons),
        target=run.target,
        run_id=run_id,
        model_id=verdict.candidate_model,
        from_model=verdict.baseline_model,
        evidence_digest=verdict.evidence_digest,
        data={
            "slot": slot,
            "outcome": verdict.outcome,
            "digest": digest(verdict),
            "policy_digest": verdict.policy_digest,
        },
    )
    writer.connection.execute(
        insert(verdicts).values(
            run_id=run_id,
            slot=slot,
            outcome=verdict.outcome,
            digest=digest(verdict),
            record=text,
            at=writer.at,
            seq=event.seq,
        )
    )


def verdict(connection: Connection, run_id: str, slot: Slot = "developer") -> Verdict | None:
    """Return the verdict of a run, None when it is not judged."""
    query = select(verdicts.c.record).where(verdicts.c.run_id == run_id, verdicts.c.slot == slot)
    text = connection.execute(query).scalar()
    return completed_verdict(decode(text, Verdict)) if text is not None else None


def judged_at(
    connection: Connection, run_id: str, slot: Slot = "developer"
) -> tuple[str, int] | None:
    """Return when a verdict was stored, as its event tells, and the number of that; None when there is none."""
    query = (
        select(events.c.at, verdicts.c.seq)
        .join(events, events.c.seq == verdicts.c.seq)
        .where(verdicts.c.run_id == run_id, verdicts.c.slot == slot)
    )
    row = connection.execute(query).one_or_none()
    return (row.at, row.seq) if row is not None else None


def shortfall(verdict: Verdict, named: str = "the verdict") -> str | None:
    """Return why a verdict is no PASS on its own checks, None when it truly is one.

    An outcome that its own checks do not bear out is not believed: PASS with nothing checked is no PASS.
    """
    if verdict.outcome != "PASS":
        return f"{named} is {verdict.outcome}: {'; '.join(verdict.reasons) or 'no reason given'}"
    deciding = [check for check in verdict.checks if check.decides]
    if not deciding:
        return f"{named} says PASS, and not one check decided: nothing was evaluated"
    failing = [check.check for check in deciding if check.outcome != "PASS"]
    if failing:
        return f"{named} says PASS, and its own checks do not: {', '.join(failing)}"
    return None


def save_result(
    writer: Writer, result: SuiteResult, slot: Slot = "developer", *, actor: str = AUTOMATION
) -> None:
    """Store the summary of one model's answers to one suite; same rule as for verdicts."""
    run, text = require(writer.connection, result.run_id), as_text(result)
    table = suite_results.c
    key = (
        table.run_id == result.run_id,
        table.slot == slot,
        table.role == result.role,
        table.suite == result.suite,
    )
    named = f"the {result.role}'s {slot} result of {result.suite} in {result.run_id}"
    if _known(writer.connection, suite_results, key, digest(result), named):
        return
    event = writer.append(
        "suite_result",
        actor=actor,
        target=run.target,
        run_id=result.run_id,
        model_id=result.model_id,
        evidence_digest=result.evidence_digest,
        data={"suite": result.suite, "role": result.role, "slot": slot, "digest": digest(result)},
    )
    writer.connection.execute(
        insert(suite_results).values(
            run_id=result.run_id,
            slot=slot,
            role=result.role,
            suite=result.suite,
            digest=digest(result),
            record=text,
            seq=event.seq,
        )
    )


def results(
    connection: Connection, run_id: str, slot: Slot = "developer"
) -> tuple[SuiteResult, ...]:
    """Return a run's results, by suite and role."""
    query = (
        select(suite_results.c.record)
        .where(suite_results.c.run_id == run_id, suite_results.c.slot == slot)
        .order_by(suite_results.c.suite, suite_results.c.role)
    )
    return tuple(decode(text, SuiteResult) for text in connection.execute(query).scalars())


def _known(
    connection: Connection,
    table: Table,
    key: tuple[ColumnElement[bool], ...],
    new: str,
    named: str,
) -> bool:
    stored = connection.execute(select(table.c.digest).where(*key)).scalar()
    if stored is not None and stored != new:
        raise RegistryError(
            f"{named} is on record already and says something else; it can't be replaced"
        )
    return stored is not None


def require_verdict(connection: Connection, run_id: str, slot: Slot) -> Verdict:
    """Return the verdict. Raises RefusedError when the run is not judged."""
    found = verdict(connection, run_id, slot)
    if found is None:
        raise RefusedError(f"run {run_id} has no verdict ({slot} slot): nothing was evaluated")
    return found
