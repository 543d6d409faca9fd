"""The live model as a canary asks it: fresh, on the production deployment, a few cases at a time, counted to the call."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from evals.evaluation.answer_forms import AnswerForms, answer_forms
from evals.evaluation.evaluation import EvaluatedModel
from evals.evaluation.kept_answers import deployment_marks
from evals.evaluation.questions import questions, same_shape
from evals.records import Case, LivePointer
from evals.sampling.accounting import read_usage
from evals.sampling.budget import Budget
from evals.sampling.journal.journal import Journal
from evals.sampling.sampler import sample
from evals.suites.opened import OpenedSuite
from flows.evaluation.kept.keep import names_of
from flows.evaluation.open_run import TargetPlan, evaluated_model
from flows.platforms.base import HostingPlatform
from flows.registry.provenance import base_model_of
from flows.registry.store import Registry

__all__ = ["Answer", "AskedCase", "LiveModel", "Spending", "spent_by_killed"]

_MOST_ATTEMPTS = 3
_MOST_AT_ONCE = 8
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCase:
    """A case with the suite it belongs to."""

    opened: OpenedSuite
    case: Case

    @property
    def key(self) -> Key:
        """Suite and id."""
        return self.opened.suite.name, self.case.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that came: its forms, how long it took, and the marks of the deployment in it."""

    forms: AnswerForms
    latency_ms: float | None
    marks: frozenset[str]


@dataclass(slots=True, kw_only=True)
class Spending:
    """Calls made, what those with a price cost in USD, and how many had none. `stopped` says that the budget ended it."""

    calls: int = 0
    usd: float = 0.0
    unpriced: int = 0
    stopped: bool = False

    def add(self, calls: int, usd: float | None) -> None:
        """Count the requests and the cost of one call of the sampler."""
        self.calls += calls
        self.usd += usd or 0.0
        self.unpriced += calls if usd is None else 0

    @property
    def cost_usd(self) -> float | None:
        """The cost where all of it is known."""
        return None if self.unpriced else self.usd


class _CallBudget(Budget):
    """A ceiling in calls beside that in USD: each attempt is one, retries too."""

    def __init__(self, *, usd: float | None, calls: int) -> None:
        super().__init__(usd=usd)
        self._left = calls

    @property
    def limited(self) -> bool:
        return True

    def reserve(self, usd: float, tokens: int) -> Literal["granted", "wait", "reached"]:
        if not self._left:
            return "reached"
        found = super().reserve(usd, tokens)
        self._left -= found == "granted"
        return found


@dataclass(kw_only=True)
class LiveModel:
    """What is live for a target, ready to be asked. Its journals lie in `folder` until `forget`."""

    plan: TargetPlan
    pointer: LivePointer
    model: EvaluatedModel
    folder: Path
    budget: Budget
    spent: Spending = field(default_factory=Spending)
    _rounds: int = 0

    @classmethod
    def of(
        cls,
        registry: Registry,
        platform: HostingPlatform,
        plan: TargetPlan,
        pointer: LivePointer,
        folder: Path,
        left_calls: int,
        left_usd: float | None,
    ) -> LiveModel:
        """Connect to the live deployment; nothing is asked. `left_usd` is what may be spent, if that is limited."""
        target, model = plan.target, pointer.model_id
        price = platform.price(model, base_model_of(registry, target.name, model))
        connection = platform.connect(pointer.deployment or model, model, "production")
        asked = evaluated_model(target, "candidate", connection, price=price, fresh=True)
        few = replace(
            asked.settings,
            max_attempts=min(asked.settings.max_attempts, _MOST_ATTEMPTS),
            concurrency=min(asked.settings.concurrency, _MOST_AT_ONCE),
        )
        budget = _CallBudget(usd=left_usd if price is not None else None, calls=left_calls)
        patient = EvaluatedModel(
            connection=asked.connection,
            settings=few,
            price=price,
            system_prompt=asked.system_prompt,
        )
        return cls(plan=plan, pointer=pointer, model=patient, folder=folder, budget=budget)

    async def ask(self, cases: Sequence[AskedCase]) -> dict[Key, Answer]:
        """Ask each case once more, and return the answers that came; what was lost to infrastructure is left out.

        Raises SamplingError when the endpoint can't be asked at all.
        """
        self._rounds += 1
        folder = self.folder / f"ask-{self._rounds:02}"
        by_suite: dict[str, list[AskedCase]] = {}
        for one in cases:
            by_suite.setdefault(one.opened.suite.name, []).append(one)
        with Journal.open(folder) as journal:
            for group in same_shape([ones[0].opened for ones in by_suite.values()]):
                if not self.spent.stopped:
                    await self._sample(journal, group, by_suite)
        return dict(self._answers(folder, by_suite))

    async def _sample(
        self,
        journal: Journal,
        group: Sequence[OpenedSuite],
        by_suite: Mapping[str, Sequence[AskedCase]],
    ) -> None:
        asks = (
            request
            for opened in group
            for request in questions(
                "candidate",
                opened.suite.name,
                [one.case for one in by_suite[opened.suite.name]],
                1,
                self.model.system_prompt,
            )
        )
        try:
            summary = await sample(
                asks,
                connections={"candidate": self.model.connection},
                settings={"candidate": self.model.settings_for(group[0])},
                prices={"candidate": self.model.price},
                journal=journal,
                budget=self.budget,
            )
        finally:
            self._count(journal.folder)
        self.spent.stopped = summary.stopped is not None

    def _count(self, folder: Path) -> None:
        last = read_usage(folder)[-1:]
        for role in (role for call in last for role in call.roles.values()):
            usd = None if role.spent_usd is None else role.spent_usd + role.unconfirmed_usd
            self.spent.add(role.requests, usd)

    def _answers(
        self, folder: Path, by_suite: Mapping[str, Sequence[AskedCase]]
    ) -> Iterator[tuple[Key, Answer]]:
        with Journal.open(folder, read_only=True) as journal:
            for suite, ones in by_suite.items():
                cases = {one.case.id: one for one in ones}
                for entry in journal.entries("candidate", suite):
                    one = cases[entry.response.case_id]
                    forms = answer_forms(one.opened, one.case, entry.response)
                    if forms is not None:
                        marks = frozenset(deployment_marks(entry, self.own_names()))
                        latency = entry.response.latency_ms
                        yield one.key, Answer(forms=forms, latency_ms=latency, marks=marks)

    def own_names(self) -> frozenset[str]:
        """The names under which it is asked: where a service only echoes them, it says nothing."""
        return names_of(self.pointer)

    def forget(self) -> None:
        """Delete the answers, which nobody needs any more once a look is on record."""
        shutil.rmtree(self.folder, ignore_errors=True)


def spent_by_killed(folder: Path) -> Spending:
    """Return what the look of a killed process spent, and clear its folder away. It holds nothing afterwards."""
    found = Spending()
    for call in (call for asked in sorted(folder.glob("ask-*")) for call in read_usage(asked)):
        for role in call.roles.values():
            found.add(role.requests + call.uncounted, role.spent_usd)
    shutil.rmtree(folder, ignore_errors=True)
    return found
