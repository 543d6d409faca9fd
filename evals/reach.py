"""How far a suite can reach: the fewest cases, or clusters of them, at which flawless answers can pass a check."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from evals.conditions import Check
from evals.measuring import (
    MIN_CLUSTERS,
    MIN_LABEL_CASES,
    MIN_QUANTILE_CASES,
    MIN_RATIO_QUANTILE_CASES,
)
from evals.metrics import MetricSpec
from evals.opening import OpenedSuite
from evals.records import Case
from evals.stats.power import min_clusters_paired, min_n_absolute, min_n_paired

__all__ = ["clustered", "column_applies", "least_cases", "least_clusters", "matching", "units"]


def least_cases(
    check: Check, spec: MetricSpec, confidence: float, *, clustered: bool = False
) -> int:
    """Return the smallest number of cases at which flawless answers pass; 1 where no number forbids it.

    With clusters it is their number that counts (see `least_clusters`), and of the cases only a method's own floor.
    """
    if check.decide_on == "point" or (clustered and spec.family in ("mean", "cost")):
        return max(1, check.min_cases or 1)
    return max(_least(check, spec, confidence), check.min_cases or 1)


def _least(check: Check, spec: MetricSpec, confidence: float) -> int:
    if spec.family == "quantile":
        if check.relative:
            return MIN_RATIO_QUANTILE_CASES
        exact = math.ceil(math.log(1.0 - confidence) / math.log(spec.quantile))
        return max(MIN_QUANTILE_CASES, exact)
    share = _room(check, spec)
    if spec.family == "label":
        return max(MIN_LABEL_CASES, min_n_paired(share, confidence=confidence) if share else 1)
    if not spec.bounded or share is None:
        return 2
    if check.relative:
        return min_n_paired(share, confidence=confidence)
    return min_n_absolute(1.0 - share, confidence=confidence)


def least_clusters(check: Check, spec: MetricSpec, confidence: float) -> int:
    """Return the smallest number of clusters at which flawless answers pass; flawless ones count one a cluster."""
    if check.decide_on == "point" or spec.family == "quantile":
        return 1
    share = _room(check, spec) if spec.bounded or spec.family == "label" else None
    exact = min_clusters_paired(share, confidence=confidence) if share else 1
    return max(MIN_CLUSTERS, exact)


def _room(check: Check, spec: MetricSpec) -> float | None:
    """The share of the cases that could still be otherwise without breaking the condition; None where none matters."""
    threshold, span = check.threshold, spec.hi - spec.lo
    if check.kind == "min_gain":
        share = (1.0 - threshold / span) / 2.0 if not check.percent else 0.0
    elif check.relative:
        share = threshold if check.percent else threshold / span
    elif check.kind == "at_least":
        share = (spec.hi - threshold) / span
    else:
        share = (threshold - spec.lo) / span
    return share if 0.0 < share < 1.0 else None


def matching(check: Check, opened: Sequence[OpenedSuite]) -> Mapping[str, list[tuple[str, Case]]]:
    """Return the cases of a check as (suite, case), by the value of its `each` tag ("" without one)."""
    groups: dict[str, list[tuple[str, Case]]] = {}
    for one in opened:
        applies = column_applies(one, check.metric)
        for case in one.suite.cases:
            if not applies(case) or any(case.tags.get(k) != v for k, v in check.where.items()):
                continue
            if check.each is None or check.each in case.tags:
                value = case.tags[check.each] if check.each else ""
                groups.setdefault(value, []).append((one.suite.name, case))
    return dict(sorted(groups.items()))


def units(cases: Sequence[tuple[str, Case]]) -> int:
    """Count clusters; a case of a suite without clusters is one of its own."""
    return len({(suite, case.cluster or f"\0{case.id}") for suite, case in cases})


def clustered(opened: Sequence[OpenedSuite]) -> bool:
    """Return whether answers hang together in some of the suites."""
    return any(
        one.suite.cases and all(case.cluster is not None for case in one.suite.cases)
        for one in opened
    )


def column_applies(opened: OpenedSuite, metric: str) -> Callable[[Case], bool]:
    """Return what says which cases of a suite a metric is about."""
    for grader in opened.graders:
        for column in grader.columns():
            if metric in column.metrics():
                return partial(grader.applies, column.name)
    return lambda _case: True
