"""What regression runs came to: on record as a step of the run, so that the chain holds it and every view reads one record."""

from __future__ import annotations

from typing import Literal

import msgspec
from sqlalchemy import Connection, select

from evals.records import Record, decode
from flows.registry.database.engine import Writer
from flows.registry.database.schema import runs, steps
from flows.registry.steps import mark

__all__ = [
    "OUTCOME",
    "SETTLING",
    "RegressionOutcome",
    "RegressionWord",
    "in_words",
    "is_settled",
    "last_outcome",
    "outcome_of",
    "save_outcome",
    "unsettled",
]

OUTCOME = "outcome"
"""The step of a regression run whose mark holds what it came to."""

SETTLING = "settling"
"""The step of a judged regression run that ends when all that follows from its outcome is done and told."""

RegressionWord = Literal["steady", "worse", "changed", "cannot_tell"]
"""steady: it holds, and answers as it did; worse: it is shown to be worse than the gate allows; changed: what answers, or how,
is not as it was, but not worse; cannot_tell: the evidence decides neither way."""


class RegressionOutcome(Record, frozen=True, kw_only=True, omit_defaults=True):
    """What a regression run says of the model that is live.

    `why` is one sentence for people; it ends with the `remedy`, where the model could not be compared. `changes` are what moved since the recorded answers, one sentence each, whatever the
    outcome. `margins` are the deciding comparisons with its own answers that hold, as the gate names them; `loosened` says how
    the gate is looser than it was for this model. `compared_with` says whose recorded answers the model was held against: those of a fresh pass ("reference"),
    those that won its promotion ("promotion"), or "" for none. `rolled_back_to` is the model that Gatewright rolled back to,
    `rollback_problem` why that was asked for and not done.
    """

    outcome: RegressionWord
    run_id: str
    target: str
    model_id: str
    why: str
    remedy: str = ""
    changes: tuple[str, ...] = ()
    margins: tuple[str, ...] = ()
    loosened: tuple[str, ...] = ()
    compared_with: Literal["", "reference", "promotion", "frozen"] = ""
    rolled_back_to: str = ""
    rollback_problem: str = ""
    at: str = ""

    @property
    def word(self) -> str:
        """The outcome as people write it."""
        return in_words(self.outcome)


def in_words(outcome: str) -> str:
    """Return an outcome as people write it; a verdict's, or any other word, as it is."""
    return "can't tell" if outcome == "cannot_tell" else outcome


def save_outcome(writer: Writer, outcome: RegressionOutcome) -> RegressionOutcome:
    """Put an outcome on record; the same one again is no change. Raises RegistryError when the run is not known."""
    known = outcome_of(writer.connection, outcome.run_id)
    if known is not None and msgspec.structs.replace(known, at="") == outcome:
        return known
    detail = msgspec.to_builtins(outcome)
    found = mark(writer, outcome.run_id, OUTCOME, "done", detail)
    return msgspec.structs.replace(outcome, at=found.at)


def outcome_of(connection: Connection, run_id: str) -> RegressionOutcome | None:
    """Return what a regression run came to; None before it is settled, or by a version that knew of no outcomes."""
    query = (
        select(steps.c.detail, steps.c.at)
        .where(steps.c.run_id == run_id, steps.c.step == OUTCOME)
        .order_by(steps.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _read(row.detail, row.at)


def last_outcome(connection: Connection, target: str) -> RegressionOutcome | None:
    """Return what the newest settled regression run of a target came to, None without any."""
    query = (
        select(steps.c.detail, steps.c.at)
        .join(runs, runs.c.run_id == steps.c.run_id)
        .where(runs.c.target == target, steps.c.step == OUTCOME)
        .order_by(steps.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _read(row.detail, row.at)


def is_settled(connection: Connection, run_id: str) -> bool:
    """Say whether all that follows from a regression run is done. Runs of before such marks say nothing, and are not."""
    query = select(steps.c.seq).where(
        steps.c.run_id == run_id, steps.c.step == SETTLING, steps.c.phase == "done"
    )
    return connection.execute(query.limit(1)).scalar_one_or_none() is not None


def unsettled(connection: Connection) -> tuple[str, ...]:
    """Return the regression runs whose consequences were begun and not finished, oldest first."""
    of_settling = select(steps.c.run_id).where(steps.c.step == SETTLING)
    done = of_settling.where(steps.c.phase == "done")
    begun = of_settling.where(steps.c.run_id.not_in(done)).order_by(steps.c.seq)
    return tuple(dict.fromkeys(connection.execute(begun).scalars()))


def _read(detail: str, at: str) -> RegressionOutcome:
    return msgspec.structs.replace(decode(detail, RegressionOutcome), at=at)
