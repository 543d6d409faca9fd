"""Fields of candidates of which one was chosen, and which cases of a suite choose and which judge; only ever added to."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, insert, select

from evals.cases.table import CaseTable
from evals.errors import RegistryError
from evals.records import RunnerUp, VerdictOutcome, decode, digest
from evals.selection.records import FieldPlan
from evals.selection.split import Dealt, SplitRule, deal
from flows.registry.database.engine import Writer
from flows.registry.database.schema import selections, splits
from flows.registry.records import AUTOMATION, RunRecord, as_text
from flows.registry.runs import listing, require
from flows.registry.steps import marks
from flows.registry.verdicts import verdict

__all__ = ["CHOSEN", "deal_cases", "dealt", "enter", "field", "fields", "runner_up"]

CHOSEN = "chosen"
"""The step on record when a selection has come to its end; its detail has the `place` of the winner, None for nobody."""


def deal_cases(
    writer: Writer,
    run_id: str,
    suites: Mapping[str, CaseTable],
    rule: SplitRule,
    *,
    actor: str = AUTOMATION,
) -> None:
    """Deal those cases of a run's suites, by name, that its target has not dealt before. Nothing new is no change."""
    target = require(writer.connection, run_id).target
    for name, cases in suites.items():
        new = deal(cases, dealt(writer.connection, target, name), rule, f"{target}/{name}")
        if new is None:
            continue
        counts = {"choosing": len(new.choosing), "judging": len(new.judging)}
        event = writer.append(
            "split",
            actor=actor,
            target=target,
            run_id=run_id,
            data={"suite": name, "digest": digest(new), "rule": _as_plain(rule), **counts},
        )
        writer.connection.execute(
            insert(splits).values(
                run_id=run_id,
                suite=name,
                target=target,
                digest=digest(new),
                record=as_text(new),
                at=writer.at,
                seq=event.seq,
            )
        )


def dealt(connection: Connection, target: str, suite: str) -> tuple[Dealt, ...]:
    """Return what was dealt of a suite for a target, oldest first; empty when nobody ever chose on it."""
    query = (
        select(splits.c.record)
        .where(splits.c.target == target, splits.c.suite == suite)
        .order_by(splits.c.seq)
    )
    return tuple(decode(text, Dealt) for text in connection.execute(query).scalars())


def enter(writer: Writer, run_id: str, plan: FieldPlan, *, actor: str = AUTOMATION) -> None:
    """Put a field on record. An equal one is no change; another one raises RegistryError."""
    run, known = require(writer.connection, run_id), field(writer.connection, run_id)
    if known == plan:
        return
    if known is not None:
        raise RegistryError(f"the field of {run_id} is on record already and says something else")
    event = writer.append(
        "selection",
        actor=actor,
        target=run.target,
        run_id=run_id,
        data={
            "digest": digest(plan),
            "candidates": [one.model_id for one in plan.candidates],
            "metric": plan.metric,
        },
    )
    writer.connection.execute(
        insert(selections).values(
            run_id=run_id,
            target=run.target,
            digest=digest(plan),
            record=as_text(plan),
            at=writer.at,
            seq=event.seq,
        )
    )


def field(connection: Connection, run_id: str) -> FieldPlan | None:
    """Return the field of a selection, None when it has not been opened."""
    query = select(selections.c.record).where(selections.c.run_id == run_id)
    text = connection.execute(query).scalar()
    return decode(text, FieldPlan) if text is not None else None


def fields(connection: Connection, target: str) -> dict[str, FieldPlan]:
    """Return every field of a target by the id of its selection, oldest first."""
    query = select(selections).where(selections.c.target == target).order_by(selections.c.seq)
    return {
        row["run_id"]: decode(row["record"], FieldPlan)
        for row in connection.execute(query).mappings()
    }


def runner_up(connection: Connection, run: RunRecord) -> tuple[RunnerUp, ...]:
    """Return the selections of which this run's candidate is not the winner, and whose winner did not pass.

    One that chose nobody had none judged, so that it does not count.
    """
    found = []
    settled = False
    # The latest first: who won a later field is held by that one alone, or a field that can't be finished any more would
    # block its members for ever.
    for selection, plan in reversed(fields(connection, run.target).items()):
        models = [one.model_id for one in plan.candidates]
        if run.candidate_model not in models:
            continue
        choice = [one.detail for one in marks(connection, selection) if one.step == CHOSEN]
        if not choice:
            found += [] if settled else [RunnerUp(selection=selection)]
            continue
        place = choice[-1]["place"]
        if place is None:
            continue
        if models[place] == run.candidate_model:
            settled = settled or _of(run, selection)
            continue
        judged = _judged(connection, run.target, selection, models[place])
        if not any(outcome == "PASS" for _, outcome in judged):
            last, outcome = judged[0] if judged else ("", None)
            found.append(
                RunnerUp(selection=selection, winner=models[place], run_id=last, outcome=outcome)
            )
    return tuple(reversed(found))


def _judged(
    connection: Connection, target: str, selection: str, model: str
) -> list[tuple[str, VerdictOutcome | None]]:
    """The runs that judged a selection's winner and what they came to, the latest first; by whomever they were asked for."""
    found: list[tuple[str, VerdictOutcome | None]] = []
    for run in listing(connection, target, None):
        of_it = run.kind == "promotion" and _of(run, selection)
        if of_it and run.candidate_model == model:
            judged = verdict(connection, run.run_id)
            found.append((run.run_id, judged.outcome if judged is not None else None))
    return found


def _of(run: RunRecord, selection: str) -> bool:
    """Whether a run judges a candidate of a selection, as the command's own or because somebody named the model."""
    return selection in (run.trigger.get("selection"), run.selection)


def _as_plain(rule: SplitRule) -> dict[str, object]:
    """Return the rule as plain data, for its event."""
    return {"share": rule.share, "strata": list(rule.strata)}
