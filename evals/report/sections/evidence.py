"""What the numbers rest on: how much was asked and answered, and confusion matrices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evals.records import INFRASTRUCTURE_OUTCOMES, SuiteResult
from evals.report.facts import Confusion, RunFacts, SuiteTrace
from evals.report.numbers import counted, figure, percentage, unit_of

__all__ = [
    "ConfusionView",
    "CoverageRow",
    "MetricRow",
    "confusions",
    "coverage",
    "metrics",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRow:
    """One model's answers to one suite, counted; `remarks` holds everything that a count alone would hide."""

    suite: str
    role: str
    model: str
    planned: str
    answered: str
    scored: str
    errored: str
    share: str
    outcomes: str
    remarks: tuple[str, ...]
    journal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """Point estimates of one metric of a suite, for both models."""

    suite: str
    metric: str
    candidate: str
    baseline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One count of a confusion matrix; `shade` (0 to 6) is its share of the row, `right` marks the diagonal."""

    count: str
    shade: int
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionView:
    """One model's confusion matrix for one label grader: a row per true label, with its cells."""

    suite: str
    grader: str
    role: str
    n: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def coverage(facts: RunFacts) -> tuple[CoverageRow, ...]:
    """Return one row per suite and role."""
    traces = {(trace.suite, trace.role): trace for trace in facts.traces}
    return tuple(
        _coverage(facts, result, traces.get((result.suite, result.role)))
        for result in facts.suite_results
    )


def _coverage(facts: RunFacts, result: SuiteResult, trace: SuiteTrace | None) -> CoverageRow:
    return CoverageRow(
        suite=result.suite,
        role=result.role,
        model=facts.names.get(result.model_id, result.model_id),
        planned=f"{result.planned:,}",
        answered=f"{result.answered:,}",
        scored=f"{result.scored:,}",
        errored=f"{result.errored:,}",
        share=percentage(result.scored / result.planned) if result.planned else "nothing planned",
        outcomes=_outcomes(result.outcomes),
        remarks=tuple(_remarks(result, trace)),
        journal=trace.journal if trace else "",
    )


def _outcomes(outcomes: dict[str, int]) -> str:
    ordered = sorted(outcomes.items(), key=lambda item: (item[0] != "answered", -item[1], item[0]))
    return (
        ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in ordered if count)
        or "none"
    )


def _remarks(result: SuiteResult, trace: SuiteTrace | None) -> Iterator[str]:
    infrastructure = sum(
        count for name, count in result.outcomes.items() if name in INFRASTRUCTURE_OUTCOMES
    )
    if infrastructure:
        yield f"{counted(infrastructure, 'answer')} lost to infrastructure: lowers coverage, never quality"
    if trace is None:
        return
    asked = result.planned // trace.repeats
    if trace.suite_cases is not None and trace.suite_cases > asked:
        whose = "the" if trace.left_out else "the suite's"
        those = " that judge" if trace.left_out else ""
        yield f"stopped early: {asked:,} of {whose} {counted(trace.suite_cases, 'case')}{those} were asked"
    if trace.left_out:
        yield f"{counted(trace.left_out, 'case')} of the suite only choose and were never to be asked"
    if trace.reused:
        yield f"{counted(trace.reused, 'answer')} reused from an earlier run, not asked again"
    for grader, count in sorted(trace.unscored.items()):
        if count:
            yield f"{grader}: {counted(count, 'answer')} unscored"


def metrics(facts: RunFacts) -> tuple[MetricRow, ...]:
    """Return the point estimates of every suite, in the suites' order."""
    found: dict[tuple[str, str], dict[str, float | None]] = {}
    for result in facts.suite_results:
        for metric, value in result.metrics.items():
            found.setdefault((result.suite, metric), {})[result.role] = value
    return tuple(
        MetricRow(
            suite=suite,
            metric=metric,
            candidate=figure(values.get("candidate"), unit_of(metric)),
            baseline=figure(values.get("baseline"), unit_of(metric)),
        )
        for (suite, metric), values in found.items()
    )


def confusions(facts: RunFacts) -> tuple[ConfusionView, ...]:
    """Return the matrices, candidate and baseline of one grader beside each other."""
    ordered = sorted(
        facts.confusions, key=lambda item: (item.suite, item.grader, item.role != "candidate")
    )
    return tuple(_confusion(item) for item in ordered)


def _confusion(item: Confusion) -> ConfusionView:
    extra = any(len(row) > len(item.labels) for row in item.counts)
    return ConfusionView(
        suite=item.suite,
        grader=item.grader,
        role=item.role,
        n=counted(sum(map(sum, item.counts)), "answer"),
        columns=(*item.labels, "no label") if extra else item.labels,
        rows=tuple(
            (label, _cells(index, row)) for index, (label, row) in enumerate(_labelled(item))
        ),
    )


def _labelled(item: Confusion) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from zip(item.labels, item.counts, strict=False)


def _cells(index: int, row: tuple[int, ...]) -> tuple[Cell, ...]:
    total = sum(row) or 1
    return tuple(
        Cell(count=f"{count:,}", shade=-(-6 * count // total), right=column == index)
        for column, count in enumerate(row)
    )
