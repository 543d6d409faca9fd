"""Holds a gate against the suites it is meant for, before anything is asked: can every check be measured, ever pass?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from evals.errors import ConfigurationError, Problem, nearest
from evals.metrics import available_metrics, metric_kind
from evals.opening import OpenedSuite
from evals.policy import Check, GatePolicy
from evals.records import Case
from evals.stats.power import min_clusters_paired, min_n_absolute, min_n_paired

__all__ = ["validate_policy"]


def validate_policy(policy: GatePolicy, suites: Sequence[OpenedSuite]) -> None:
    """Check a policy against its suites.

    Raises:
        ConfigurationError: with every unknown metric, suite or tag (and the nearest valid name), every condition that
            does not fit its metric, every slice that matches nothing, every check that could never pass.
    """
    problems = [problem for check in policy.checks for problem in _problems(policy, check, suites)]
    if problems:
        raise ConfigurationError(problems)


def _problems(policy: GatePolicy, check: Check, suites: Sequence[OpenedSuite]) -> Iterator[Problem]:
    named = [opened for opened in suites if check.suite in (None, opened.suite.name)]
    if not named:
        names = [opened.suite.name for opened in suites]
        yield _problem(
            policy,
            check,
            "suite",
            f"the target has no suite '{check.suite}'",
            nearest(check.suite or "", names),
        )
        return
    having = [opened for opened in named if check.metric in available_metrics(opened)]
    if not having:
        known = sorted({metric for opened in named for metric in available_metrics(opened)})
        yield _problem(
            policy,
            check,
            "metric",
            f"no suite yields the metric '{check.metric}'",
            nearest(check.metric, known),
        )
        return
    graded = [opened for opened in having if check.metric in _graded(opened)]
    if len(graded) > 1:
        several = ", ".join(opened.suite.name for opened in graded)
        yield _problem(
            policy,
            check,
            "metric",
            f"'{check.metric}' is measured by several suites ({several})",
            "name one with suite:",
        )
        return
    yield from _condition_problems(policy, check, having[0])
    yield from _slice_problems(policy, check, having)


def _graded(opened: OpenedSuite) -> set[str]:
    return {name for grader in opened.graders for name in grader.metrics()}


def _condition_problems(policy: GatePolicy, check: Check, opened: OpenedSuite) -> Iterator[Problem]:
    spec = metric_kind(check.metric, opened)
    wrong_way = {True: ("at_most", "max_rise"), False: ("at_least", "max_drop")}[
        spec.higher_is_better
    ]
    if check.kind in wrong_way:
        better = "higher" if spec.higher_is_better else "lower"
        right = {
            "at_most": "at_least",
            "max_rise": "max_drop",
            "at_least": "at_most",
            "max_drop": "max_rise",
        }
        yield _problem(
            policy,
            check,
            check.kind,
            f"for '{check.metric}' {better} is better",
            f"use {right[check.kind]}",
        )
    if check.percent and spec.family == "label":
        yield _problem(
            policy,
            check,
            check.kind,
            f"'{check.metric}' is compared by difference",
            "write the margin without %",
        )
    if check.relative and spec.family == "quantile" and not check.percent:
        yield _problem(
            policy,
            check,
            check.kind,
            f"'{check.metric}' is compared as a ratio",
            "write the margin with %",
        )
    if (
        check.kind in ("at_least", "at_most")
        and spec.bounded
        and not spec.lo <= check.threshold <= spec.hi
    ):
        yield _problem(
            policy,
            check,
            check.kind,
            f"expected a bar in [{spec.lo:g}, {spec.hi:g}]; found {check.threshold:g}",
            None,
        )
    if check.percent and check.kind == "min_gain" and not spec.higher_is_better:
        yield _problem(
            policy,
            check,
            check.kind,
            "a gain in % needs a metric where higher is better",
            "write the margin without %",
        )


def _slice_problems(
    policy: GatePolicy, check: Check, having: Sequence[OpenedSuite]
) -> Iterator[Problem]:
    cases = [case for opened in having for case in opened.suite.cases]
    known = sorted({tag for case in cases for tag in case.tags})
    for tag in [*check.where, *([check.each] if check.each else [])]:
        if tag not in known:
            yield _problem(
                policy,
                check,
                "each" if tag == check.each else "where",
                f"no case has the tag '{tag}'",
                nearest(tag, known),
            )
            return
    matching = [
        case
        for case in cases
        if all(case.tags.get(tag) == value for tag, value in check.where.items())
    ]
    if not matching:
        tag, value = next(iter(check.where.items()))
        values = sorted({case.tags[tag] for case in cases if tag in case.tags})
        yield _problem(policy, check, "where", f"no case has {tag}={value}", nearest(value, values))
        return
    yield from _hopeless(policy, check, having, matching)


def _hopeless(
    policy: GatePolicy, check: Check, having: Sequence[OpenedSuite], matching: Sequence[Case]
) -> Iterator[Problem]:
    """A check that even flawless answers could not pass is refused now, not after the bill."""
    spec = metric_kind(check.metric, having[0])
    if not _provable(check) or spec.family != "mean" or not spec.bounded or check.percent:
        return
    clustered = having[0].suite.cluster_by is not None
    least = _least(check, policy.confidence, clustered=clustered)
    for value, count in _groups(check, matching, clustered=clustered).items():
        if count < least:
            where = f" ({check.each}={value})" if check.each else ""
            noun = "clusters" if clustered else "cases"
            yield _problem(
                policy,
                check,
                check.kind,
                f"{count} {noun}{where} can never pass: even flawless answers need {least} {noun}",
                "add cases, widen the margin, or say if_too_few: report",
            )


def _provable(check: Check) -> bool:
    return check.mode == "enforce" and check.decide_on == "bound" and check.if_too_few != "report"


def _least(check: Check, confidence: float, *, clustered: bool) -> int:
    """Smallest number of cases (or clusters) at which flawless answers pass; 1 where no number forbids it."""
    if check.kind in ("max_drop", "max_rise"):
        if not 0 < check.threshold < 1:
            return 1
        least = min_clusters_paired if clustered else min_n_paired
        return least(check.threshold, confidence=confidence)
    if check.kind == "min_gain":
        return 2
    bar = check.threshold if check.kind == "at_least" else 1 - check.threshold
    if not 0 < bar < 1:
        return 1
    # Flawless clustered answers count one a cluster against t(G - 1): as a paired margin of 1 - bar.
    return (
        min_clusters_paired(1 - bar, confidence=confidence)
        if clustered
        else min_n_absolute(bar, confidence=confidence)
    )


def _groups(check: Check, matching: Sequence[Case], *, clustered: bool) -> Mapping[str, int]:
    units: dict[str, set[str]] = {}
    for case in matching:
        if check.each is None or check.each in case.tags:
            value = case.tags[check.each] if check.each else ""
            unit = case.cluster if clustered and case.cluster is not None else case.id
            units.setdefault(value, set()).add(unit)
    return {value: len(found) for value, found in sorted(units.items())}


def _problem(policy: GatePolicy, check: Check, key: str, message: str, fix: str | None) -> Problem:
    field = f"{check.field.rpartition('.')[0]}.{key}"
    return Problem(where=policy.path, line=check.line, field=field, message=message, fix=fix)
