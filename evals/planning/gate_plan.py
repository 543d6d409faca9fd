"""The records of a plan: each check of a gate, its family of candidates, and the whole run."""

from __future__ import annotations

from evals.planning.scenarios import Scenario
from evals.records import Record

__all__ = ["CheckPlan", "FamilyPrice", "GatePlan"]


class CheckPlan(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One check before anything is asked.

    `least` is the smallest number of `unit`s that can ever pass; `n80` and `n90` are cases for a power of 80 and 90 %;
    `power` is what the suite's own cases give, `resolves` the smallest margin (or distance from the bar) they resolve
    with 90 %. None where nothing is known that they could be worked out from; `note` then says what is missing.
    `lost_cost` is what the expected loss of answers takes of the gap, each lost one counted at its worst; `out_of_reach`
    says that with so many lost no number of cases passes.
    `effective` is how many clusters of one size its clusters are worth, `largest` the share of the cases in the largest one; None
    without clusters. `confidence` is that of each bound; `least_alone` is what `least` would be without the gate's `family`.
    """

    check: str
    decides: bool
    cases: int
    unit: str
    units: int
    least: int
    hope: str
    differing: float | None = None
    sd: float | None = None
    gap: float | None = None
    n80: int | None = None
    n90: int | None = None
    power: float | None = None
    resolves: float | None = None
    source: str = ""
    note: str = ""
    confidence: float = 0.95
    least_alone: int | None = None
    lost_cost: float = 0.0
    out_of_reach: bool = False
    effective: float | None = None
    largest: float | None = None

    @property
    def reach(self) -> float:
        """How many `unit`s there are to hold against `least`: clusters of unequal size count as fewer."""
        return self.units if self.effective is None else self.effective


class FamilyPrice(Record, frozen=True, kw_only=True):
    """What it costs to hold a promise for `candidates` together: each is judged at `confidence`, which takes `factor`
    times the cases for a power of 90 %.
    """

    candidates: int
    window_s: int
    together: float
    confidence: float
    factor: float


class GatePlan(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A target's plan.

    `suites` are their numbers of cases, `repeats` how often each case is asked. Calls are requests to both models; `usd`
    and `seconds` are those of all calls, None if unknown. `left_out` conditions need a live model, and there is none.
    `family` is what the gate's family costs.
    `lost` is the share of each model's answers that is expected to be lost. `against` names the frozen baseline that stands
    for the live model: then `suites` count the cases that are as they were frozen, and calls are to the candidate alone.
    `reference_calls` come on top if the candidate goes live, for the answers that regression runs compare with, for
    `reference_budget_usd` at most. `held` says that the target is on hold, "" where it is not: nothing goes live then.
    """

    policy: str
    suites: dict[str, int]
    roles: int
    repeats: dict[str, int]
    calls: int
    early_stop: bool
    checks: tuple[CheckPlan, ...]
    scenarios: tuple[Scenario, ...]
    source: str
    usd: float | None = None
    seconds: float | None = None
    left_out: int = 0
    family: FamilyPrice | None = None
    lost: float = 0.0
    against: str = ""
    reference_calls: int = 0
    reference_budget_usd: float | None = None
    held: str = ""

    @property
    def overall_power(self) -> float | None:
        """P(all checks pass) for a candidate that is as good as hoped; None when too little is known."""
        return next((found.passes for found in self.scenarios if found.name == "equal"), None)
