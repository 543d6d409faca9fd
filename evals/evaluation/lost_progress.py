"""Shows the slow round for lost answers as a part of the whole run, with a note on what it does."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from evals.evaluation.evaluation import EvaluatedModel, Evaluation
from evals.records import Role
from evals.sampling.budget import Budget
from evals.sampling.journal.entries import settles
from evals.sampling.progress.snapshot import ProgressSink, RoleProgress, Snapshot
from evals.sampling.progress.waits import moment_in

__all__ = ["SlowRoundProgress"]


class SlowRoundProgress:
    """Shows the slow round as a part of the whole run, with a note on what it does."""

    def __init__(
        self,
        evaluation: Evaluation,
        look: int,
        models: Mapping[Role, EvaluatedModel],
        lost: Mapping[Role, int],
        sink: ProgressSink | None,
    ) -> None:
        self.sink = sink
        self._lost = sum(lost.values())
        self._before = {
            role: _before(evaluation, look, role, model.model_id, lost[role])
            for role, model in models.items()
        }
        self._roles = dict(self._before)
        self._note = ""

    def waits(self, turn: str, budget: Budget | None, wait_s: float) -> None:
        """Say how long the round waits for its next turn."""
        budget = budget or Budget()
        self._note = f"{self._what()}: asked for again in {wait_s:.0f} s, at {moment_in(wait_s)}, slowly ({turn})"
        snapshot = Snapshot(
            elapsed_s=0.0,
            roles=dict(self._roles),
            spent_usd=budget.spent_usd,
            spent_tokens=budget.spent_tokens,
            ceiling_usd=budget.usd,
            ceiling_tokens=budget.tokens,
            note=self._note,
        )
        if self.sink:
            self.sink.update(snapshot)

    def asks(self, turn: str) -> None:
        """Say that lost answers are asked for now."""
        self._note = f"asks for {self._what()} again, slowly ({turn})"

    def update(self, snapshot: Snapshot) -> None:
        """Pass a snapshot of one role on, with the other role as it stood and the note."""
        for role, found in snapshot.roles.items():
            before = self._before[role]
            won = sum(number for kind, number in found.outcomes.items() if settles(kind))
            self._roles[role] = msgspec.structs.replace(
                found, done=before.done + won, planned=before.planned, eta_s=None
            )
        if self.sink:
            note = "; ".join(part for part in (self._note, snapshot.note) if part)
            self.sink.update(msgspec.structs.replace(snapshot, roles=dict(self._roles), note=note))

    def _what(self) -> str:
        return f"{self._lost:,} lost answer{'s' if self._lost != 1 else ''}"


def _before(
    evaluation: Evaluation, look: int, role: Role, model_id: str, lost: int
) -> RoleProgress:
    planned = sum(
        evaluation.repeats_of(opened) * len(evaluation.rows(opened, look, role))
        for opened in evaluation.suites
    )
    return RoleProgress(model_id=model_id, done=planned - lost, planned=planned)
