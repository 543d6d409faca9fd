"""Puts a selection on record under an id that follows from its candidates, so that the same command finds the same one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from evals.config.documents import raise_problems
from evals.errors import Problem
from evals.gate.validation import shortages
from evals.selection.halving import MIN_CHOOSING
from evals.selection.split import Dealt, SplitRule, deal, effective_choosing
from evals.selection.standing import choosing_check
from evals.suites.opened import OpenedSuite
from flows.evaluation.open_run import TargetPlan, load_plan, strata
from flows.evaluation.request import run_id_of
from flows.registry.opening import open_registry
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["choosing_cases", "request_selection", "rule_of"]


def request_selection(
    settings: Settings,
    target: str,
    names: Sequence[str],
    *,
    actor: str,
    again: str = "",
    early_stop: bool = True,
    fresh: bool = False,
) -> tuple[RunRecord, bool]:
    """Record a selection among candidates, or find the one that the same names already started (then False).

    The order of the names does not make another selection. `again`, `early_stop` and `fresh` are those of
    `flows.evaluation.request.request_run`; the last two are handed on to the run that judges the chosen one.

    Raises:
        ConfigurationError: the target, its gate or its suites have problems, or a suite is too small to be split; nothing
            is recorded then.
    """
    plan = load_plan(settings, target)
    promotion = plan.target.promotion
    choosing_check(plan.policy, plan.suites, promotion.choose_by, plan.target.path)
    marks = {
        "again": again,
        "early_stop": "" if early_stop else "off",
        "fresh": "yes" if fresh else "",
    }
    given = {key: value for key, value in marks.items() if value}
    with open_registry(settings) as registry:
        raise_problems(_too_small(plan, _preview(registry, plan)))
        return registry.start_run(
            RunRecord(
                run_id=run_id_of(target, "selection", {"candidates": sorted(names), **given}),
                target=target,
                kind="selection",
                requested_by=actor,
                trigger={"candidates": list(names), **given},
                policy=plan.policy.name,
                policy_digest=plan.policy.digest,
                fingerprints=plan.fingerprints,
            )
        )


def choosing_cases(settings: Settings, target: str) -> dict[str, tuple[str, ...]]:
    """Return the cases of each suite that would choose among candidates now; nothing is dealt.

    Raises:
        ConfigurationError: the target has problems, or a suite is too small to be split.
    """
    plan = load_plan(settings, target)
    with open_registry(settings) as registry:
        found = _preview(registry, plan)
    raise_problems(_too_small(plan, found))
    return found


def rule_of(plan: TargetPlan) -> SplitRule:
    """Return how a target's cases are dealt."""
    return SplitRule(share=plan.target.promotion.choose_on, strata=strata(plan.policy))


def _preview(registry: Registry, plan: TargetPlan) -> dict[str, tuple[str, ...]]:
    """The cases of each suite that will choose; nothing is dealt yet."""
    rule, found = rule_of(plan), {}
    for opened in plan.suites:
        name, cases = opened.suite.name, opened.suite.cases
        before: list[Dealt] = [*registry.dealt(plan.target.name, name)]
        new = deal(cases, before, rule, f"{plan.target.name}/{name}")
        found[name] = effective_choosing(cases, [*before, *([new] if new is not None else [])])
    return found


def _too_small(plan: TargetPlan, choosing: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """What forbids the split: too few cases to choose on, or too few left to judge."""
    for opened in plan.suites:
        if len(choosing[opened.suite.name]) == len(opened.suite.cases):
            yield _problem(plan, opened, f"no case of {opened.suite.name} is left to judge", 2)
            return
    check = choosing_check(
        plan.policy, plan.suites, plan.target.promotion.choose_by, plan.target.path
    )
    ranked = [one for one in plan.suites if check.suite in (None, one.suite.name)]
    chosen = sum(len(choosing[opened.suite.name]) for opened in ranked)
    if chosen < MIN_CHOOSING:
        least = math.ceil(MIN_CHOOSING / plan.target.promotion.choose_on)
        message = f"{chosen} cases are too few to choose on: at least {MIN_CHOOSING} are needed"
        yield _problem(plan, ranked[0], message, least)
    rest = plan.without({name: tuple(ids) for name, ids in choosing.items()})
    for short in shortages(
        plan.policy, rest.suites, production_cases=plan.target.promotion.production_cases
    ):
        least = math.ceil(short.least / (1 - plan.target.promotion.choose_on))
        about = f" ({short.check.each}={short.value})" if short.value else ""
        message = (
            f"the {short.said}{about} that are left to judge can never pass"
            f" '{short.check.label}': even flawless answers need {short.least}"
        )
        yield Problem(
            where=plan.target.path,
            field="promotion.choose_on",
            message=message,
            fix=f"have at least {least} {short.noun} in all, or choose on a smaller share",
        )


def _problem(plan: TargetPlan, opened: OpenedSuite, message: str, least: int) -> Problem:
    return Problem(
        where=plan.target.path,
        field="promotion.choose_on",
        message=f"suite {opened.suite.name} has {len(opened.suite.cases)} cases: {message}",
        fix=f"have at least {least} cases, or choose on a larger share",
    )
