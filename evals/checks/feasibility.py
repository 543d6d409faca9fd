"""How far a suite can reach: the fewest cases, or clusters of them, at which flawless answers can pass a check."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.cases.table import CaseTable
from evals.checks.check import Check
from evals.checks.floors import (
    MIN_CLUSTERS,
    MIN_LABEL_CASES,
    MIN_QUANTILE_CASES,
    MIN_RATIO_QUANTILE_CASES,
)
from evals.metrics.estimates import MetricSpec
from evals.stats.clusters import ClusterSizes, cluster_sizes
from evals.stats.power import min_clusters_paired, min_n_absolute, min_n_paired
from evals.suites.case_arrays import applicable_cases, matches, matching_all
from evals.suites.opened import OpenedSuite

__all__ = ["CaseGroup", "clustered", "least_cases", "least_clusters", "matching"]

Mask = NDArray[np.bool_]


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
    share = _slack(check, spec)
    if spec.family == "label":
        return max(MIN_LABEL_CASES, min_n_paired(share, confidence=confidence) if share else 1)
    if not spec.bounded or share is None:
        return 2
    if check.relative:
        return min_n_paired(share, confidence=confidence)
    return min_n_absolute(1.0 - share, confidence=confidence)


def least_clusters(check: Check, spec: MetricSpec, confidence: float) -> int:
    """Return the smallest number of clusters of one size at which flawless answers pass; flawless ones count one a cluster."""
    if check.decide_on == "point" or spec.family == "quantile":
        return 1
    share = _slack(check, spec) if spec.bounded or spec.family == "label" else None
    exact = min_clusters_paired(share, confidence=confidence) if share else 1
    return max(MIN_CLUSTERS, exact)


def _slack(check: Check, spec: MetricSpec) -> float | None:
    return check.spec.slack(check.threshold, percent=check.percent, lo=spec.lo, hi=spec.hi)


class CaseGroup:
    """The cases of a check: how many they are (`len`) and in which clusters they hang together."""

    def __init__(self) -> None:
        self._parts: list[tuple[CaseTable, Mask]] = []

    def add(self, cases: CaseTable, rows: Mask) -> None:
        """Add the cases of one suite, given as a mask of shape (cases,)."""
        self._parts.append((cases, rows))

    def __len__(self) -> int:
        return sum(int(np.count_nonzero(rows)) for _, rows in self._parts)

    @property
    def clusters(self) -> ClusterSizes:
        """Its clusters; a case without one is one of its own."""
        counts = [_counts(np.asarray(cases.clusters)[rows]) for cases, rows in self._parts]
        return cluster_sizes(np.concatenate(counts) if counts else [])


def matching(check: Check, opened: Sequence[OpenedSuite]) -> Mapping[str, CaseGroup]:
    """Return the cases of a check by the value of its `each` tag ("" without one)."""
    groups: dict[str, CaseGroup] = {}
    for one in opened:
        cases = one.suite.cases
        rows = _about(one, check.metric) & matching_all(cases, check.where)
        for value, part in _parts(check, cases, rows):
            if part.any():
                groups.setdefault(value, CaseGroup()).add(cases, part)
    return dict(sorted(groups.items()))


def clustered(opened: Sequence[OpenedSuite]) -> bool:
    """Return whether answers hang together in some of the suites."""
    return any(one.suite.cases.has_clusters for one in opened)


def _parts(check: Check, cases: CaseTable, rows: Mask) -> Iterator[tuple[str, Mask]]:
    if check.each is None:
        yield "", rows
    elif check.each in cases.tags:
        for value in cases.tags[check.each].values:
            yield value, rows & matches(cases, check.each, value)


def _counts(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many cases are in each cluster."""
    known = codes[codes >= 0]
    return np.concatenate([np.bincount(known), np.ones(len(codes) - len(known), dtype=np.int64)])


def _about(opened: OpenedSuite, metric: str) -> Mask:
    """Which cases of a suite a metric is about."""
    for grader in opened.graders:
        for column in grader.columns():
            if metric in column.metrics():
                return applicable_cases(opened, column.name)
    return np.ones(len(opened.suite.cases), dtype=np.bool_)
