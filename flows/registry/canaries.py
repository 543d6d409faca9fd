"""Canaries on record: which few cases are asked of a live model every hour, what came of it, and what it cost this month.

One row a target, written anew by each look; no event tells of a look. Events tell that cases were chosen, that a change
was found, and that it is over. Answers stand here as digests alone, so that nothing of a sealed suite does.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, delete, insert, select

from evals.records import Record, decode
from flows.registry.database.engine import Writer
from flows.registry.database.schema import canaries
from flows.registry.records import AUTOMATION, as_text

__all__ = [
    "CanaryCase",
    "CanaryChange",
    "CanaryLook",
    "CanaryState",
    "LookOutcome",
    "Regressed",
    "canary",
    "canary_of_all",
    "keep_canary",
]

LookOutcome = Literal["chosen", "alike", "changed", "skipped", "unasked"]
"""chosen: there were no cases before; skipped: nothing was asked, by the budget; unasked: too few answers came."""
Regressed = Literal["", "steady", "changed", "worse", "cannot_tell", "failed"]
"""The outcome of the regression run that a change started; "" while it has not ended."""
EventKind = Literal["canary_chosen", "canary_changed", "canary_over"]


class CanaryCase(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A case that is asked. `answer` is the digest of what was answered `agreed` times, as text or by the labels in it.

    `latency_ms` is the median when the case was chosen.
    """

    suite: str
    case_id: str
    case: str
    by: Literal["text", "labels"]
    answer: str
    agreed: int
    latency_ms: float | None = None


class CanaryChange(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A change that was found: in the answers, or in the marks of the deployment, or both; it starts one regression run.

    `key` is that of the flow run, `flow_run` its id once there is one, `starts` how many were started; `problem` is why
    none could be. `run_id` is the regression run that answers it, `regressed` its outcome.
    """

    at: str
    said: str
    answers: bool
    marks: tuple[str, ...] = ()
    key: str = ""
    flow_run: str = ""
    starts: int = 0
    problem: str = ""
    run_id: str = ""
    regressed: Regressed = ""

    @property
    def looked_into(self) -> bool:
        """Whether a regression run was started for it that has not ended: it needs nobody so far."""
        return not self.regressed and not self.problem and bool(self.flow_run or self.run_id)


class CanaryLook(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of one look. `differing` of `answered` cases answered otherwise each time they were asked, `p` is the
    p-value of that, `latency` how many times as long the answers took as when the cases were chosen. `unconfirmed` more answered
    otherwise, and the answers that would have confirmed it were lost.
    """

    at: str
    outcome: LookOutcome
    said: str
    answered: int = 0
    differing: int = 0
    unconfirmed: int = 0
    p: float | None = None
    latency: float | None = None
    calls: int = 0
    cost_usd: float | None = None


class CanaryState(Record, frozen=True, kw_only=True, omit_defaults=True):
    """All that is known of a target's canary. Times are UTC, ISO 8601; `month` is such as 2026-11.

    `own_answers` says that the cases were chosen by answers that the canary asked for itself, none having been kept.
    `measured_by` is the regression run whose answers they are compared with instead of the kept ones, since a change is over;
    `because` is why cases are to be chosen again. `passed_over` of `looked_over` cases were not chosen. `asking` is a digest of how many cases were wanted and how they are asked.
    `marks` are system fingerprints and model names seen so far, `steady_marks` how many changes of each kind of mark alone
    were no change of the model. `month_starts` regression runs were started in the month.
    `month_usd` adds up what had a price, `unpriced` counts the calls that had none. `unasked` looks in a row, since
    `unasked_since`, brought too few answers.
    """

    target: str
    generation: int
    model_id: str
    chosen_at: str = ""
    own_answers: bool = False
    measured_by: str = ""
    because: str = ""
    cases: tuple[CanaryCase, ...] = ()
    passed_over: int = 0
    looked_over: int = 0
    asking: str = ""
    marks: tuple[str, ...] = ()
    steady_marks: dict[str, int] = msgspec.field(default_factory=dict)
    looks: int = 0
    last: CanaryLook | None = None
    compared_at: str = ""
    change: CanaryChange | None = None
    month: str = ""
    month_calls: int = 0
    month_starts: int = 0
    month_usd: float = 0.0
    unpriced: int = 0
    unasked: int = 0
    unasked_since: str = ""


def canary(connection: Connection, target: str) -> CanaryState | None:
    """Return a target's canary, None when none was ever asked."""
    text = connection.execute(select(canaries.c.record).where(canaries.c.target == target)).scalar()
    return decode(text, CanaryState) if text is not None else None


def canary_of_all(connection: Connection) -> tuple[CanaryState, ...]:
    """Return the canaries of all targets that have one, by name."""
    rows = connection.execute(select(canaries.c.record).order_by(canaries.c.target)).scalars()
    return tuple(decode(text, CanaryState) for text in rows)


def keep_canary(
    writer: Writer,
    state: CanaryState,
    *,
    event: EventKind | None = None,
    reason: str = "",
    data: dict[str, Any] | None = None,
    actor: str = AUTOMATION,
) -> None:
    """Replace the record of a canary, and append the event of the change, if there is one."""
    if event is not None:
        writer.append(
            event,
            actor=actor,
            reason=reason,
            target=state.target,
            model_id=state.model_id,
            data={"generation": state.generation, **(data or {})},
        )
    writer.connection.execute(delete(canaries).where(canaries.c.target == state.target))
    writer.connection.execute(
        insert(canaries).values(target=state.target, record=as_text(state), at=writer.at)
    )
