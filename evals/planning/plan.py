"""Planning, before money is spent: how many cases each check needs, what a suite can resolve, what a run will cost.

Numbers rest on a past run of the target where there is one, on a stated share of cases on which the models differ
otherwise; each says which. Sample sizes: n = ((z_alpha + z_power) * sd / gap)^2, sd that of one case's contribution
(design effect and all), gap the distance from the bar to the truth one hopes for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy import special

from evals.checks.check import Check
from evals.checks.comparability import ComparedResults
from evals.checks.comparison import compare, measure
from evals.checks.feasibility import clustered, least_cases, least_clusters, matching
from evals.checks.measurement import Measurement
from evals.checks.methods import IncomparableError
from evals.gate.policy import GatePolicy
from evals.gate.validation import measured_by
from evals.metrics.estimates import MetricSpec, metric_kind
from evals.planning.gate_plan import CheckPlan, FamilyPrice, GatePlan
from evals.planning.losses import cost_of_losses, least_with_losses
from evals.planning.past_run import PastRun, expected_seconds, usd
from evals.planning.scenarios import scenarios
from evals.stats.validation import normal_critical
from evals.suites.opened import OpenedSuite

__all__ = ["DIFFERING", "EQUAL", "PAST_RUN", "plan_gate"]

DIFFERING = 0.15
"""Share of cases on which two fine-tunes differ, when nothing is known: from one in twenty to one in four is usual."""

EQUAL = "equal models"
PAST_RUN = "past run"
"""The source of a check's figures when an earlier run shows them."""


def plan_gate(
    policy: GatePolicy,
    suites: Sequence[OpenedSuite],
    *,
    past: PastRun | None = None,
    differing: float | None = None,
    roles: int = 2,
    repeats: Mapping[str, int] | None = None,
    at_once: int = 64,
    lost: float | None = None,
    seed: int = 1,
) -> GatePlan:
    """Plan a run of a gate over its suites.

    Args:
        policy: the gate, valid for the suites.
        suites: what is asked.
        past: an earlier run; what it shows goes before what is assumed.
        differing: share of the cases on which candidate and baseline are expected to differ; goes before `past`.
        roles: 2 with a baseline, 1 for a first release.
        repeats: how often each case is asked, by its suite's name; None for what the suites say.
        at_once: calls in flight together, of each model.
        lost: share of each model's answers that is expected to be lost to infrastructure; None for that of `past`.
        seed: of the simulation of all checks together.
    """
    share = lost if lost is not None else past.lost if past else 0.0
    worst = policy.missing == "worst_case"
    checks = tuple(
        _Planner(policy, check, suites, past, differing, share if worst else 0.0).plan(value)
        for check in policy.checks
        if check.measure_on == "developer" and (roles > 1 or not check.relative)
        for value in matching(check, measured_by(check, suites))
    )
    sizes = {opened.suite.name: len(opened.suite.cases) for opened in suites}
    often = {opened.suite.name: opened.suite.repeats for opened in suites} | dict(repeats or {})
    questions = {name: cases * often[name] for name, cases in sizes.items()}
    return GatePlan(
        policy=policy.name,
        suites=sizes,
        roles=roles,
        repeats=often,
        calls=sum(questions.values()) * roles,
        early_stop=policy.early_stop,
        checks=checks,
        scenarios=scenarios(policy, checks, rng=np.random.default_rng(seed)),
        source=f"run {past.run_id}" if past else "nothing but the suites and what was stated",
        usd=usd(past, questions),
        seconds=expected_seconds(past, questions, at_once),
        left_out=sum(check.relative for check in policy.checks) if roles == 1 else 0,
        lost=share if worst else 0.0,
        family=_price(policy),
    )


def _price(policy: GatePolicy) -> FamilyPrice | None:
    family = policy.family
    if family is None:
        return None
    power = float(special.ndtri(0.9))
    alone, each = map(normal_critical, (policy.confidence, policy.decision_confidence))
    return FamilyPrice(
        candidates=family.candidates,
        window_s=family.window_s,
        together=family.confidence,
        confidence=policy.decision_confidence,
        factor=((each + power) / (alone + power)) ** 2,
    )


@dataclass(frozen=True, slots=True)
class _Planner:
    policy: GatePolicy
    check: Check
    suites: Sequence[OpenedSuite]
    past: PastRun | None
    differing: float | None
    lost: float = 0.0

    def plan(self, value: str) -> CheckPlan:
        measuring = measured_by(self.check, self.suites)
        spec = metric_kind(self.check.metric, measuring[0])
        check = self.check
        if check.each is not None:
            where = {**check.where, check.each: value}
            check = msgspec.structs.replace(check, each=None, where=where)
        cases = matching(check, measuring)[""]
        grouped = clustered(measuring) and spec.family != "quantile"
        needed = least_clusters if grouped else least_cases
        sizes = cases.clusters if grouped else None
        few = check.min_cases is not None and len(cases) < check.min_cases
        blank = CheckPlan(
            check=check.label,
            decides=check.mode == "enforce" and not (few and check.if_too_few == "report"),
            cases=len(cases),
            unit="clusters" if grouped else "cases",
            units=len(cases) if sizes is None else sizes.groups,
            effective=None if sizes is None else sizes.effective,
            largest=None if sizes is None else sizes.largest,
            least=needed(check, spec, self.policy.confidence_of(check)),
            hope=_hope(check),
            confidence=self.policy.confidence_of(check),
            least_alone=needed(check, spec, self.policy.confidence) if self.policy.family else None,
        )
        blank = self._with_losses(check, spec, blank)
        return self._sized(check, spec, blank)

    def _with_losses(self, check: Check, spec: MetricSpec, blank: CheckPlan) -> CheckPlan:
        """What even flawless answers need when a share of them is expected to be lost."""
        least = least_with_losses(check, spec, self.policy.confidence_of(check), self.lost)
        if least is None:
            return msgspec.structs.replace(blank, out_of_reach=True)
        return (
            blank
            if blank.unit == "clusters"
            else msgspec.structs.replace(blank, least=max(least, blank.least))
        )

    def _sized(self, check: Check, spec: MetricSpec, blank: CheckPlan) -> CheckPlan:
        found = self._measured(check) if self.differing is None or not check.relative else None
        if check.decide_on == "point" or spec.family == "quantile":
            return msgspec.structs.replace(blank, note="no power is worked out for this kind")
        if check.with_labels and found is None:
            return msgspec.structs.replace(blank, note="needs a past run with human labels")
        if found is not None:
            sd, gap, source = _spread(found), _gap(check, found), PAST_RUN
        elif check.relative and not check.percent and (spec.bounded or spec.family == "label"):
            share = DIFFERING if self.differing is None else self.differing
            sd, gap = math.sqrt(share), check.threshold
            source = "assumed" if self.differing is None else "stated"
        else:
            return msgspec.structs.replace(blank, note="needs a past run to go by")
        if not (gap > 0.0 and math.isfinite(sd)):
            note = "a model as good as that can't pass" if gap <= 0.0 else "too few past cases"
            return msgspec.structs.replace(blank, source=source, note=note)
        estimate = found.estimate if found is not None and not check.relative else None
        cost = cost_of_losses(check, spec, self.lost, estimate)
        blank = msgspec.structs.replace(
            blank, lost_cost=cost, out_of_reach=blank.out_of_reach or cost >= gap
        )
        if blank.out_of_reach:
            # Below zero, so that no outlook takes it for one that passes.
            net = min(gap - cost, -1e-12)
            return msgspec.structs.replace(blank, sd=sd, gap=net, source=source, power=0.0)
        spread = math.sqrt(sd**2 + cost * (1.0 - self.lost))
        sized = self._powered(blank, spread, gap - cost, source, check)
        differing = sd**2 if check.relative and not check.percent else None
        return msgspec.structs.replace(sized, differing=differing)

    def _powered(
        self, blank: CheckPlan, sd: float, gap: float, source: str, check: Check
    ) -> CheckPlan:
        critical = normal_critical(self.policy.confidence_of(check))
        n80, n90 = (
            math.ceil(((critical + float(special.ndtri(power))) * sd / gap) ** 2)
            for power in (0.8, 0.9)
        )
        se = max(sd, 1e-12) / math.sqrt(blank.cases)
        floor = math.ceil(
            blank.least * blank.cases / max(blank.reach, 1.0)
        )  # of cases, as clusters go
        note = ""
        if blank.unit == "clusters" and source != PAST_RUN:
            note = "clusters make it weaker than this; a past run will show by how much"
        return msgspec.structs.replace(
            blank,
            sd=sd,
            gap=gap,
            n80=max(n80, floor),
            n90=max(n90, floor),
            power=float(special.ndtr(gap / se - critical)) if blank.reach >= blank.least else 0.0,
            resolves=(critical + float(special.ndtri(0.9))) * se,
            source=source,
            note=note,
        )

    def _measured(self, check: Check) -> Measurement | None:
        """What the check came to on the past run's answers; None where they don't show it."""
        if self.past is None or (check.relative and self.past.baseline is None):
            return None
        try:
            candidate, baseline = ComparedResults(self.past.candidate, self.past.baseline).of(check)
            confidence = self.policy.confidence_of(check)
            found = (
                compare(check, candidate, baseline, confidence, missing="at_random")
                if check.relative and baseline is not None
                else measure(check, candidate, baseline, confidence, missing="at_random")
            )
        except (IncomparableError, ValueError):
            return None
        return found if found.n > 1 and found.estimate is not None else None


def _spread(found: Measurement) -> float:
    """Standard deviation of one case's contribution, as the interval implies it."""
    assert found.lower is not None and found.upper is not None
    se = (found.upper - found.lower) / (2.0 * normal_critical(found.confidence))
    return se * math.sqrt(found.n)


def _gap(check: Check, found: Measurement) -> float:
    """Distance from the bar to the truth hoped for, which is equality, or what the past candidate showed."""
    if check.relative:
        return check.threshold
    assert found.estimate is not None
    gap = found.estimate - check.threshold
    return -gap if check.spec.rising else gap


def _hope(check: Check) -> str:
    if check.spec.superiority:
        return "twice the gain asked for"
    return EQUAL if check.relative else "as good as last time"
