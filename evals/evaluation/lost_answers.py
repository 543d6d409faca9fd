"""A last, slow round: before a run is judged, questions whose answers were lost to infrastructure are asked again.

It takes several turns, each after a longer wait than the one before, two questions at a time and one attempt a turn. It
goes on with the same sample, no case is added to it. When nothing was lost it costs nothing. A turn ends after a few losses in a
row, and the round after its first turn where a model has answered nothing at all, so that an outage takes no hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np

from evals.evaluation.evaluation import EvaluatedModel, Evaluation
from evals.evaluation.grading import GradingPace
from evals.evaluation.lost_progress import SlowRoundProgress
from evals.evaluation.questions import questions, same_shape
from evals.records import Response, Role
from evals.sampling.budget import Budget
from evals.sampling.fatal_errors import UnreachableError
from evals.sampling.journal.entries import settles
from evals.sampling.journal.journal import Journal
from evals.sampling.progress.snapshot import ProgressSink
from evals.sampling.progress.waits import wait_telling
from evals.sampling.request_spec import ModelRequest, SamplingSettings
from evals.sampling.response_store import ResponseStore
from evals.sampling.sampler import sample
from evals.suites.opened import OpenedSuite

__all__ = ["SLOW_GRADING", "LostAnswersPlan", "ask_lost_again", "lost_answers"]

AT_ONCE = 2
PATIENCE = 10
"""Losses in a row after which a turn ends: a platform that is out answers nobody."""
SLOW_GRADING = GradingPace(at_once=AT_ONCE, patience=PATIENCE)
"""How answers are graded again whose judge could not be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LostAnswersPlan:
    """How often lost answers are asked for again at most, and the wait before the first turn in seconds; it doubles."""

    attempts: int = 5
    wait_s: float = 10.0

    def wait_before(self, turn: int) -> float:
        """Seconds to wait before a turn, counted from 1."""
        return float(self.wait_s * 2 ** (turn - 1))


def lost_answers(evaluation: Evaluation, look: int) -> dict[Role, int]:
    """How many questions asked of each role up to a look, and still needed at it, have no answer."""
    with Journal.open(evaluation.folder / "journal", read_only=True) as journal:
        return {
            role: sum(
                _lost(evaluation, journal, role, opened, look) for opened in evaluation.suites
            )
            for role in evaluation.roles
        }


async def ask_lost_again(
    evaluation: Evaluation,
    look: int,
    models: Mapping[Role, EvaluatedModel],
    plan: LostAnswersPlan,
    *,
    progress: ProgressSink | None = None,
    budget: Budget | None = None,
    store: ResponseStore | None = None,
) -> dict[Role, int]:
    """Ask for the answers again that are lost and needed at a look; returns how many of each role stay lost.

    The budget, which has to be that of the round before, ends it, and is no reason against what was answered.

    Raises:
        SamplingError: an endpoint refuses to be asked at all, or is gone.
    """
    lost = lost_answers(evaluation, look)
    for turn in range(1, plan.attempts + 1):
        if not any(lost.values()):
            break
        shown = SlowRoundProgress(evaluation, look, models, lost, progress)
        which = f"{turn} of {plan.attempts}"
        await wait_telling(plan.wait_before(turn), partial(shown.waits, which, budget))
        shown.asks(which)
        short = {role: model for role, model in models.items() if lost[role]}
        allowed = await _turn(evaluation, look, short, turn, shown, budget, store)
        lost = lost_answers(evaluation, look)
        if not allowed or _silent(evaluation, lost):
            break
    return lost


def _silent(evaluation: Evaluation, lost: Mapping[Role, int]) -> bool:
    """Whether a model has answered nothing at all: then this is no loss but an outage, which a later retry may find over."""
    with Journal.open(evaluation.folder / "journal", read_only=True) as journal:
        return any(
            count and not any(journal.answered(role, one.suite.name) for one in evaluation.suites)
            for role, count in lost.items()
        )


async def _turn(
    evaluation: Evaluation,
    look: int,
    models: Mapping[Role, EvaluatedModel],
    turn: int,
    shown: SlowRoundProgress,
    budget: Budget | None,
    store: ResponseStore | None,
) -> bool:
    """Ask each of these roles' lost questions once; False when the budget does not allow more."""
    # One role after the other: a role that is given up would hold the other one back otherwise.
    for role, model in models.items():
        for group in same_shape(evaluation.suites):
            patience = _Patience()
            asks = patience.while_it_lasts(_questions(evaluation, role, model, group, look, turn))
            with Journal.open(evaluation.folder / "journal") as journal:
                try:
                    summary = await sample(
                        asks,
                        connections={role: model.connection},
                        settings={role: _slowly(model.settings_for(group[0]))},
                        prices={role: model.price},
                        look=look,
                        lost_round=True,
                        journal=journal,
                        progress=shown if shown.sink else None,
                        budget=budget,
                        store=store,
                        on_response=patience.note,
                    )
                except UnreachableError:  # another turn may find the service again
                    continue
            if summary.stopped:
                return False
    return True


def _questions(
    evaluation: Evaluation,
    role: Role,
    model: EvaluatedModel,
    group: Sequence[OpenedSuite],
    look: int,
    turn: int,
) -> Iterator[ModelRequest]:
    # In another order each turn: those that nobody will ever answer must not use up the patience before the others come.
    order = np.random.default_rng(turn)
    for opened in group:
        rows = order.permutation(evaluation.needed_rows(opened, look, role))
        cases = (opened.suite.cases[int(row)] for row in rows)
        yield from questions(
            role, opened.suite.name, cases, evaluation.repeats_of(opened), model.system_prompt
        )


def _slowly(settings: SamplingSettings) -> SamplingSettings:
    at_once = min(AT_ONCE, settings.concurrency)
    return msgspec.structs.replace(settings, concurrency=at_once, max_attempts=1)


def _lost(
    evaluation: Evaluation, journal: Journal, role: Role, opened: OpenedSuite, look: int
) -> int:
    answered = journal.answered(role, opened.suite.name)
    cases = opened.suite.cases
    return sum(
        (cases.ids[int(row)], repeat) not in answered
        for row in evaluation.needed_rows(opened, look, role)
        for repeat in range(evaluation.repeats_of(opened))
    )


class _Patience:
    """Counts losses in a row, and asks no more questions after too many."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def note(self, _request: ModelRequest, response: Response) -> None:
        """Take in what became of a question."""
        self._in_a_row = 0 if settles(response.outcome) else self._in_a_row + 1

    def while_it_lasts(self, asks: Iterable[ModelRequest]) -> Iterator[ModelRequest]:
        """Yield the questions until too many were lost in a row."""
        for ask in asks:
            if self._in_a_row >= PATIENCE:
                return
            yield ask
