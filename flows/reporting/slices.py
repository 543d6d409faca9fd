"""Which slices got worse, corrected for having looked at many; and the pairs in which two models differ.

All of it is shown beside the verdict and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import special

from evals.checks.check import Check
from evals.checks.comparison import compare, measure
from evals.checks.measurement import Measurement
from evals.checks.methods import IncomparableError
from evals.checks.rows import paired_rows
from evals.gate.policy import GatePolicy
from evals.metrics.results import ModelResults
from evals.records import Role
from evals.report.facts import PairedRow, SliceRow
from evals.stats.bounded import bounded_score_test
from evals.stats.clusters import design_effect
from evals.stats.futility import implied_z
from evals.stats.multiplicity import holm
from evals.stats.paired_binary import mcnemar
from evals.suites.opened import OpenedSuite
from flows.reporting.examples import primary_column

__all__ = ["pairs_of", "slices_of"]

Results = Mapping[Role, Mapping[str, ModelResults]]
Floats = NDArray[np.float64]


def slices_of(policy: GatePolicy, opened: OpenedSuite, results: Results) -> tuple[SliceRow, ...]:
    """Return a row for each value of each tag of a suite, on the metric that the gate looks at first."""
    rows = tuple(_measured(policy, opened, results))
    tested = [index for index, row in enumerate(rows) if row.p_worse is not None]
    if not tested:
        return rows
    found = holm([rows[index].p_worse or 0.0 for index in tested], alpha=1 - policy.confidence)
    adjusted = {
        index: {"p_holm": float(p), "worse": bool(worse)}
        for index, p, worse in zip(tested, found.adjusted, found.reject, strict=True)
    }
    return tuple(
        msgspec.structs.replace(row, **adjusted.get(index, {})) for index, row in enumerate(rows)
    )


def _measured(policy: GatePolicy, opened: OpenedSuite, results: Results) -> Iterator[SliceRow]:
    name, column = opened.suite.name, primary_column(policy, opened)
    candidate, baseline = _both_models(results, name)
    kind: Literal["max_drop", "at_least"] = "max_drop" if baseline else "at_least"
    for tag in opened.suite.tags:
        for value in sorted({str(found) for found in candidate.tags[tag] if found}):
            check = Check(metric=column, kind=kind, threshold=0.0, where={tag: value})
            try:
                found = (
                    compare(check, candidate, baseline, policy.confidence, missing="at_random")
                    if baseline
                    else measure(check, candidate, None, policy.confidence, missing="at_random")
                )
            except IncomparableError:
                continue
            yield SliceRow(
                suite=name,
                metric=column,
                slice={tag: value},
                n=found.n,
                candidate=found.candidate,
                baseline=found.baseline,
                lower=found.lower,
                upper=found.upper,
                confidence=policy.confidence,
                method=found.method,
                note=found.blocked or "",
                p_worse=_p_worse(check, found, candidate, baseline) if baseline else None,
            )


def _both_models(results: Results, suite: str) -> tuple[ModelResults, ModelResults | None]:
    return results["candidate"][suite], results.get("baseline", {}).get(suite)


def _p_worse(
    check: Check, found: Measurement, candidate: ModelResults, baseline: ModelResults
) -> float:
    """The one-sided p-value that the candidate is worse; 1 where a floor forbids deciding, so that it still counts.

    The z that a score interval implies is exact at the bar only. Far from it, where a correction for many slices
    looks, it makes too much of a few lost cases, so a test made for zero has the last word when it is less sure.
    """
    interval = found.interval()
    if found.blocked or interval is None:
        return 1.0
    implied = float(special.ndtr(implied_z(interval, 0.0)))
    rows = paired_rows(check, candidate, baseline)
    ours, theirs = (model.columns[check.metric][rows] for model in (candidate, baseline))
    if _pass_or_fail(ours, theirs):
        return max(implied, mcnemar(*_discordant(ours, theirs)).p_worse_exact)
    groups = None if candidate.clusters is None else candidate.clusters[rows]
    drop = theirs - ours
    effect = 1.0 if groups is None else design_effect(drop, groups)
    return max(implied, bounded_score_test(drop, 0.0, lo=-1.0, design_effect=effect).p_value)


def pairs_of(policy: GatePolicy, opened: OpenedSuite, results: Results) -> Iterator[PairedRow]:
    """Yield how often only one of the models was right, where the gate's first metric is pass or fail in every case."""
    column = primary_column(policy, opened)
    candidate, baseline = _both_models(results, opened.suite.name)
    if baseline is None or not all(column in model.columns for model in (candidate, baseline)):
        return
    check = Check(metric=column, kind="max_drop", threshold=0.0)
    try:
        rows = paired_rows(check, candidate, baseline)
    except IncomparableError:
        return
    ours, theirs = candidate.columns[column][rows], baseline.columns[column][rows]
    if not ours.size or not _pass_or_fail(ours, theirs):
        return
    wins, losses = _discordant(ours, theirs)
    yield PairedRow(
        suite=opened.suite.name,
        metric=column,
        n=ours.size,
        wins=wins,
        losses=losses,
        p_exact=mcnemar(wins, losses).p_exact,
    )


def _pass_or_fail(*columns: Floats) -> bool:
    return all(bool(np.isin(values, (0.0, 1.0)).all()) for values in columns)


def _discordant(ours: Floats, theirs: Floats) -> tuple[int, int]:
    return int(np.count_nonzero(ours > theirs)), int(np.count_nonzero(ours < theirs))
