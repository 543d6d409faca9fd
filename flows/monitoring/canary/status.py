"""The state of a target's canary, from what is on record alone: nothing is asked."""

from __future__ import annotations

from msgspec.structs import replace

from evals.records import Record
from evals.stats.steady_answers import LOOKS_A_YEAR
from flows.config.target import CanaryPlan, Target
from flows.monitoring.canary.budget import this_month
from flows.monitoring.canary.change import settled
from flows.monitoring.canary.marks import quiet_kinds
from flows.monitoring.canary.trigger import fewest
from flows.registry.canaries import CanaryChange, CanaryLook, CanaryState
from flows.registry.store import Registry

__all__ = ["CanaryStatus", "canary_status"]


class CanaryStatus(Record, frozen=True, kw_only=True):
    """A target's canary. Times are UTC, ISO 8601; costs are of `month`, a month of the calendar.

    `scheduled` says whether the target file asks for hourly looks. `last` is the newest look, None before the first one or since
    something else went live; `compared_at` the newest one in which enough cases answered. `change` is the change that is not over,
    None while all is as it was. `fewest_differing` of `cases` cases have to answer otherwise for a look to trigger, None where all of
    them would not be enough. At most one look in `looks_per_false_trigger` of an unchanged model triggers, on average. `spent_usd` adds up
    what had a price; `unpriced_calls` of `calls` had none. `unasked` looks in a row brought too few answers. `starts` regression runs were
    started this month. `quiet_marks` are kinds of marks that trigger nothing any more. `problem` says why a look could not be made at all.
    """

    target: str
    scheduled: bool
    model_id: str = ""
    generation: int = 0
    cases: int = 0
    own_answers: bool = False
    chosen_at: str = ""
    last: CanaryLook | None = None
    compared_at: str = ""
    looks: int = 0
    change: CanaryChange | None = None
    fewest_differing: int | None = None
    looks_per_false_trigger: int = LOOKS_A_YEAR
    month: str = ""
    calls: int = 0
    budget_calls: int = 0
    spent_usd: float = 0.0
    unpriced_calls: int = 0
    budget_usd: float | None = None
    starts: int = 0
    budget_regressions: int = 0
    quiet_marks: tuple[str, ...] = ()
    unasked: int = 0
    unasked_since: str = ""
    problem: str = ""

    @property
    def news(self) -> bool:
        """Whether the last look is the one that found the change."""
        return self.change is not None and self.last is not None and self.change.at == self.last.at

    @property
    def changed(self) -> bool:
        """Whether a change was found that is not over."""
        return self.change is not None


def canary_status(registry: Registry, target: Target) -> CanaryStatus:
    """Return what is on record of a target's canary; without a look so far only its budget.

    A regression run that ended since the last look, whoever asked for it, already counts.
    """
    plan = target.canary or CanaryPlan()
    status = CanaryStatus(
        target=target.name,
        scheduled=target.canary is not None,
        budget_calls=plan.most_calls,
        budget_usd=plan.budget_usd,
        budget_regressions=plan.budget_regressions,
    )
    state = registry.canary(target.name)
    if state is None:
        return status
    state = this_month(settled(registry, state), registry.now())
    return _with(status, state, registry.generation(target.name))


def _with(status: CanaryStatus, state: CanaryState, generation: int) -> CanaryStatus:
    costed = replace(
        status,
        month=state.month,
        calls=state.month_calls,
        spent_usd=state.month_usd,
        unpriced_calls=state.unpriced,
        starts=state.month_starts,
    )
    if state.generation != generation:  # what was seen of another model says nothing of this one
        return costed
    return replace(
        costed,
        model_id=state.model_id,
        generation=state.generation,
        cases=len(state.cases),
        own_answers=state.own_answers,
        chosen_at=state.chosen_at,
        last=state.last,
        compared_at=state.compared_at,
        looks=state.looks,
        change=state.change,
        fewest_differing=fewest(state.cases, state.passed_over),
        quiet_marks=quiet_kinds(state),
        unasked=state.unasked,
        unasked_since=state.unasked_since,
    )
