"""One evaluation: suites asked of one or two models in rounds, graded, and laid out for judging.

Everything is on disk before it counts: answers in the journal, scores beside it. An evaluation opened again on the same
folder goes on where it was killed; the order of the cases depends on the run id alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from evals.evaluation.grading import QUICK, GradingPace, grade_pairs, grade_role
from evals.evaluation.questions import questions, same_shape
from evals.evaluation.rounds import Rounds
from evals.evaluation.score_store import ScoreStore
from evals.metrics.estimates import summarise
from evals.metrics.results import ModelResults
from evals.metrics.tabulation import tabulate
from evals.records import (
    Price,
    Response,
    Role,
    Score,
    SuiteResult,
)
from evals.sampling.budget import Budget
from evals.sampling.journal.journal import Journal
from evals.sampling.progress.snapshot import ProgressSink, ResumedProgress
from evals.sampling.request_spec import Connection, ModelRequest, SamplingSettings, interleave
from evals.sampling.response_store import ResponseStore
from evals.sampling.sampler import sample
from evals.sampling.summary import SamplingSummary
from evals.suites.opened import OpenedSuite

__all__ = ["EvaluatedModel", "Evaluation", "settings_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedModel:
    """One model of an evaluation: where it answers, how it is asked, what it costs.

    `system_prompt` replaces the suite's own system message for this model only.
    """

    connection: Connection
    settings: SamplingSettings
    price: Price | None = None
    system_prompt: str | None = None

    @property
    def model_id(self) -> str:
        """The pinned identity of the model."""
        return self.connection.endpoint.model_id

    def settings_for(self, opened: OpenedSuite) -> SamplingSettings:
        """How this model is asked a suite: the target's settings, and the suite's where the target says nothing."""
        return settings_for(opened, self.settings)


def settings_for(opened: OpenedSuite, stated: SamplingSettings) -> SamplingSettings:
    """Return how a suite is asked: as stated, and as the suite says where nothing is."""
    suite = opened.suite
    declared = {
        name: value for name, value in suite.sampling.items() if getattr(stated, name) is None
    }
    return msgspec.structs.replace(
        stated,
        **declared,
        response_format=suite.response_format,
        tools=tuple(suite.tools) if suite.tools else None,
    )


@dataclass(frozen=True, kw_only=True)
class Evaluation(Rounds):
    """Suites, roles and rounds of one run, bound to its folder.

    `most_tokens` is how long an answer of a role may get at most, where that is not left to each suite.
    """

    folder: Path
    roles: tuple[Role, ...]
    most_tokens: Mapping[Role, int | None] = field(default_factory=dict)

    async def ask(
        self,
        look: int,
        models: Mapping[Role, EvaluatedModel],
        *,
        progress: ProgressSink | None = None,
        budget: Budget | None = None,
        store: ResponseStore | None = None,
    ) -> tuple[SamplingSummary, ...]:
        """Ask every model the cases of a round that have no answer yet; one summary for each kind of request.

        Stops after the first kind that the budget ended.

        Raises:
            SamplingError: an endpoint can't be asked at all, or is gone.
        """
        found: list[SamplingSummary] = []
        groups = same_shape(self.suites)
        with Journal.open(self.folder / "journal") as journal:
            for number, group in enumerate(groups):
                others = self._answered(models, groups, number, look)
                asks = interleave(
                    *(self._requests(role, model, group, look) for role, model in models.items())
                )
                summary = await sample(
                    asks,
                    connections={role: model.connection for role, model in models.items()},
                    settings={role: model.settings_for(group[0]) for role, model in models.items()},
                    prices={role: model.price for role, model in models.items()},
                    look=look,
                    planned={
                        role: self._planned(role, self.suites, self.rounds) - others[role]
                        for role in models
                    },
                    journal=journal,
                    progress=progress and ResumedProgress(progress, others),
                    budget=budget,
                    store=store,
                )
                found.append(summary)
                if summary.stopped:
                    break
            journal.close(compress=look == self.rounds)
        return tuple(found)

    async def grade(self, pace: GradingPace = QUICK) -> None:
        """Score every answer in the journal that has no score of the present grader versions yet."""
        for opened in self.suites:
            for role in self.roles:
                await grade_role(self.folder, role, opened, self.responses, pace)
            if len(self.roles) > 1:
                await grade_pairs(self.folder, opened, self.responses, pace)

    def lost_grades(self) -> int:
        """How many answers have no score because their judge could not be reached."""
        return sum(
            ScoreStore(self.folder, role, opened, pairs=pairs).lost()
            for opened in self.suites
            for role in self.roles
            for pairs in (False, True)
        )

    def seal(self) -> None:
        """Compress the journal of an evaluation that asks nothing more."""
        with Journal.open(self.folder / "journal"):
            pass

    def responses(self, role: Role, suite: str) -> Iterator[Response]:
        """Read a role's answers to a suite back, in the order in which they were written."""
        with Journal.open(self.folder / "journal", read_only=True) as journal:
            yield from journal.responses(role, suite)

    def scores(self, role: Role, opened: OpenedSuite) -> Iterator[Score]:
        """Read a role's scores of a suite back."""
        for pairs in (False, True):
            yield from ScoreStore(self.folder, role, opened, pairs=pairs).scores()

    def results(
        self,
        look: int,
        models: Mapping[Role, tuple[str, Price | None]],
        *,
        fair_to: Mapping[str, str] | None = None,
    ) -> dict[Role, dict[str, ModelResults]]:
        """Lay out what was answered up to a look; `models` gives each role's model id and price.

        With `fair_to` only as far as all cases with these tags were asked ({}: all), see `Rounds.rows`.
        """
        return {
            role: {
                opened.suite.name: tabulate(
                    opened,
                    self.responses(role, opened.suite.name),
                    self.scores(role, opened),
                    model_id=model_id,
                    price=price,
                    asked=self.asked(opened, look, role, fair_to),
                    repeats=self.repeats_of(opened),
                    most_tokens=self.most_tokens.get(role)
                    or opened.suite.sampling.get("max_completion_tokens"),
                )
                for opened in self.suites
            }
            for role, (model_id, price) in models.items()
        }

    def summaries(
        self,
        results: Mapping[Role, Mapping[str, ModelResults]],
        fair: Mapping[Role, Mapping[str, ModelResults]] | None = None,
    ) -> tuple[SuiteResult, ...]:
        """Summarise each model's results on each suite for the registry and the report.

        Counts are of all that was asked; estimates of its `fair` part, when some was asked of a few slices only.
        """
        return tuple(
            msgspec.structs.replace(
                summarise(self.run_id, role, found),
                metrics=summarise(self.run_id, role, sample).metrics,
            )
            for role, by_suite in results.items()
            for opened in self.suites
            for found in [by_suite[opened.suite.name]]
            for sample in [(fair or results)[role][opened.suite.name]]
        )

    def _answered(
        self,
        roles: Iterable[Role],
        groups: Sequence[Sequence[OpenedSuite]],
        number: int,
        look: int,
    ) -> dict[Role, int]:
        """How much of the other groups was asked by the time it is one group's turn: those before it are a round ahead."""
        return {
            role: sum(
                self._planned(role, group, look if place < number else look - 1)
                for place, group in enumerate(groups)
                if place != number and (look > 1 or place < number)
            )
            for role in roles
        }

    def _planned(self, role: Role, group: Sequence[OpenedSuite], look: int) -> int:
        return sum(self.repeats_of(opened) * len(self.rows(opened, look, role)) for opened in group)

    def _requests(
        self, role: Role, model: EvaluatedModel, group: Sequence[OpenedSuite], look: int
    ) -> Iterator[ModelRequest]:
        for opened in group:
            yield from questions(
                role,
                opened.suite.name,
                self.cases(opened, look, role),
                self.repeats_of(opened),
                model.system_prompt,
            )
