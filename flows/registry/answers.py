"""What people answered: approvals, rejections and overrides, each bound to exactly what was judged."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, insert, select

from evals.errors import RefusedError
from evals.people import same_person
from evals.records import Slot, Verdict, decode
from flows.registry.database.engine import Writer
from flows.registry.database.schema import answers
from flows.registry.eligibility import refuse_blank
from flows.registry.records import Answer, Binding, Decision, as_text
from flows.registry.runs import require
from flows.registry.verdicts import require_verdict

__all__ = ["add_answer", "answers_of", "rejected"]


def add_answer(
    writer: Writer,
    run_id: str,
    decision: Decision,
    *,
    actor: str,
    reason: str,
    binding: Binding,
    slot: Slot = "developer",
) -> Answer:
    """Record an answer. Raises RefusedError when it does not fit the verdict, or the run was rejected or promoted."""
    refuse_blank(actor, reason)
    run = require(writer.connection, run_id)
    verdict = require_verdict(writer.connection, run_id, slot)
    if (void := _differences(binding, Binding.of(verdict))) is not None:
        raise RefusedError(f"this answer is for other evidence than run {run_id} has: {void}")
    so_far = answers_of(writer.connection, run_id, slot)
    for earlier in so_far:
        same = (earlier.decision, earlier.binding) == (decision, binding)
        if same and same_person(earlier.actor, actor):
            return earlier
    if run.state == "superseded":
        raise RefusedError(f"run {run_id} was {run.detail}: answer that one")
    if run.state == "promoted":
        raise RefusedError(f"run {run_id} was promoted already")
    _refuse_unfitting(run_id, decision, verdict, so_far)
    answer = Answer(
        run_id=run_id,
        slot=slot,
        decision=decision,
        actor=actor,
        reason=reason,
        binding=binding,
        at=writer.at,
    )
    event = writer.append(
        decision,
        actor=actor,
        reason=reason,
        target=run.target,
        run_id=run_id,
        model_id=binding.candidate_model,
        from_model=binding.baseline_model,
        evidence_digest=binding.evidence_digest,
        data=answer,
    )
    writer.connection.execute(
        insert(answers).values(
            seq=event.seq,
            run_id=run_id,
            slot=slot,
            decision=decision,
            actor=actor,
            record=as_text(answer),
        )
    )
    return answer


def answers_of(connection: Connection, run_id: str, slot: Slot | None = None) -> tuple[Answer, ...]:
    """Return the answers to a run's verdicts, oldest first."""
    query = select(answers.c.record).where(answers.c.run_id == run_id).order_by(answers.c.seq)
    if slot is not None:
        query = query.where(answers.c.slot == slot)
    return tuple(decode(text, Answer) for text in connection.execute(query).scalars())


def rejected(so_far: tuple[Answer, ...]) -> Answer | None:
    """Return the first rejection, which closes the run, or None."""
    return next((answer for answer in so_far if answer.decision == "reject"), None)


def _differences(given_: Binding, asked: Binding) -> str | None:
    pairs = zip(
        msgspec.structs.asdict(given_).items(), msgspec.structs.asdict(asked).values(), strict=True
    )
    differing = [
        f"{name} {left!r} is not {right!r}" for (name, left), right in pairs if left != right
    ]
    return "; ".join(differing) or None


def _refuse_unfitting(
    run_id: str, decision: Decision, verdict: Verdict, so_far: tuple[Answer, ...]
) -> None:
    if (closed := rejected(so_far)) is not None:
        raise RefusedError(
            f"run {run_id} was rejected by {closed.actor} at {closed.at}: {closed.reason}"
        )
    if decision == "approve" and verdict.outcome != "INCONCLUSIVE":
        hint = "; a FAIL takes an override" if verdict.outcome == "FAIL" else ""
        raise RefusedError(
            f"only INCONCLUSIVE waits for approval, and run {run_id} is {verdict.outcome}{hint}"
        )
    if decision == "approve" and verdict.unmeasured:
        names = ", ".join(check.check for check in verdict.unmeasured)
        raise RefusedError(f"too little was measured to approve run {run_id}: {names}")
    if decision == "override":
        _refuse_override(run_id, verdict)


def _refuse_override(run_id: str, verdict: Verdict) -> None:
    if verdict.takes != "override":
        raise RefusedError(f"only a FAIL can be overridden, and run {run_id} is {verdict.outcome}")
    fixed = [
        check.check
        for check in verdict.checks
        if check.decides and check.outcome != "PASS" and not check.overridable
    ]
    if fixed:
        raise RefusedError(f"the gate says these can't be overridden: {', '.join(fixed)}")
