"""The plan of a target: its gate and suites, and what the last run of it showed."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from evals.errors import ConfigurationError, Problem
from evals.evaluation.kept_answers import KeptAnswersError
from evals.evaluation.kept_results import AskedSuite, unchanged
from evals.gate.earlier_models import Kept
from evals.planning.gate_plan import GatePlan
from evals.planning.past_run import PastRun, usd
from evals.planning.plan import plan_gate
from evals.suites.opened import OpenedSuite
from evals.suites.part import part_of
from flows.evaluation.estimate import estimate_run, last_results, reference_estimate
from flows.evaluation.kept.frozen import open_frozen
from flows.evaluation.kept.frozen_choice import against_mark, marked
from flows.evaluation.kept.recorded_baseline import recorded_evidence
from flows.evaluation.looks import due_look, results_at
from flows.evaluation.obstacles import hold_findings
from flows.evaluation.open_run import OpenRun, TargetPlan, load_plan, open_run
from flows.registry.opening import open_registry
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["last_run", "plan_target"]


def plan_target(
    settings: Settings,
    target: str,
    *,
    differing: float | None = None,
    lost: float | None = None,
    first: bool | None = None,
    left_out: Mapping[str, tuple[str, ...]] | None = None,
    against: str = "",
) -> GatePlan:
    """Plan a run of a target.

    Args:
        settings: where everything is.
        target: its name.
        differing: share of the cases on which candidate and baseline are expected to differ, in (0, 1]; None for that
            of the last run.
        lost: share of the answers that is expected to be lost, in [0, 1); None for that of the last run.
        first: whether it is a first release, with no baseline to ask; None for one where nothing is live, unless
            `differing` says what to expect of a baseline.
        left_out: the cases, by suite, that choose among several candidates and don't judge; None for a single candidate.
        against: "frozen" or "frozen:ID": the candidate alone is asked, and judged on the cases that are as they were frozen.

    Raises:
        ConfigurationError: target, gate or suites have problems, a check that can never pass among them.
    """
    whole = load_plan(settings, target)
    plan = whole.without(left_out or {})
    suites = plan.suites
    with open_registry(settings) as registry:
        if against:
            against, suites = _comparable(settings, registry, plan, against)
        held = "; ".join(one.message for one in hold_findings(registry, target))
        nothing_live = registry.live(target) is None and differing is None and not against
        alone = nothing_live if first is None else first
        seen = last_results(registry, target)
        asking = estimate_run(plan, "candidate", "", None, seen)
        reference = reference_estimate(whole, estimate_run(whole, "candidate", "", None, seen))
    past = last_run(settings, target)
    found = plan_gate(
        plan.policy,
        suites,
        past=past,
        differing=differing,
        lost=lost,
        roles=1 if alone else 2,
        repeats=plan.repeats,
    )
    # As the preflight and `doctor` say it: at the limits of the candidate's slot, which a plan of gate and suites can't know.
    found = msgspec.structs.replace(
        found,
        seconds=asking.seconds,
        reference_calls=reference.calls if reference is not None else 0,
        held=held,
        reference_budget_usd=whole.target.regression.get("reference_budget_usd"),
    )
    if not against:
        return found
    # Of the candidate alone, who is asked the cases that changed too.
    cost = _usd_alone(settings, plan, past, against)
    return msgspec.structs.replace(found, against=against, calls=asking.calls, usd=cost)


def _usd_alone(
    settings: Settings, plan: TargetPlan, past: PastRun | None, mark: str
) -> float | None:
    """What asking the candidate alone costs, as the candidate before it did, or else as the frozen model did then."""
    questions = {
        one.suite.name: len(one.suite.cases) * plan.repeats[one.suite.name] for one in plan.suites
    }
    if (alone := usd(past, questions, alone=True)) is not None:
        return alone
    with open_registry(settings) as registry:
        frozen = marked(registry, plan.target.name, mark)
    seen = (
        {one.suite: one.metrics.get("cost_usd_per_1k") for one in frozen.results} if frozen else {}
    )
    prices = [(seen.get(name), number) for name, number in questions.items()]
    known = [price * number / 1000 for price, number in prices if price is not None]
    return sum(known) if len(known) == len(prices) else None


def _comparable(
    settings: Settings, registry: Registry, plan: TargetPlan, said: str
) -> tuple[str, tuple[OpenedSuite, ...]]:
    """The mark of a frozen baseline, and the suites with the cases alone that are as they were frozen."""
    name = plan.target.name
    mark = against_mark(settings, registry, plan, said, "evaluation")
    baseline = marked(registry, name, mark)
    assert baseline is not None  # it was found just now
    kept, parts = open_frozen(settings, baseline), []
    for opened in plan.suites:
        rows = unchanged(kept, AskedSuite(opened=opened, asked_with={}, repeats=1))
        if not rows.any():
            message = f"no case of {opened.suite.name} is as it was frozen"
            raise ConfigurationError(Problem(where=mark, message=message))
        parts.append(part_of(opened, rows))
    return mark, tuple(parts)


def last_run(settings: Settings, target: str) -> PastRun | None:
    """Return what both models answered in the latest judged run of a target; one with a baseline where there is any."""
    with open_registry(settings) as registry:
        judged = [run for run in registry.runs(target, 50) if registry.verdict(run.run_id)]
    judged.sort(key=lambda run: run.baseline_model is None)  # stable: the latest of each kind first
    for found in judged:
        with open_run(settings, found.run_id) as run:
            current = {opened.suite.name: opened.fingerprint for opened in run.plan.suites}
            if run.record.fingerprints != current:
                continue
            results = results_at(run, due_look(run)[0], fair=True)
            frozen = _frozen(run)
        return PastRun(
            run_id=found.run_id,
            candidate=results["candidate"],
            baseline=results.get("baseline") or frozen,
        )
    return None


def _frozen(run: OpenRun) -> Kept | None:
    """The frozen answers that a run was compared with; what is wrong with them is no affair of a plan's."""
    if run.record.baseline_model is None or run.asks_baseline:
        return None
    try:
        recorded = recorded_evidence(run)
    except KeptAnswersError:
        return None
    return recorded.baseline if recorded is not None else None
