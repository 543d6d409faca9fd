"""Where the candidate differs: slice by slice, corrected for having looked at many, and pair by pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evals.report.facts import PairedRow, RunFacts, SliceRow
from evals.report.numbers import counted, digits_for, figure, percentage, signed, unit_of

__all__ = ["SliceView", "paired", "slice_leads", "slices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceView:
    """One metric on one slice; `mark` says that it got worse, "" when that can't be said."""

    suite: str
    metric: str
    slice: str
    n: str
    candidate: str
    baseline: str
    difference: str
    interval: str
    level: str
    method: str
    mark: str
    note: str


def slices(facts: RunFacts) -> tuple[SliceView, ...]:
    """Return the slice table's rows, as they came."""
    return tuple(_slice(row) for row in facts.slices)


def _slice(row: SliceRow) -> SliceView:
    unit, paired = unit_of(row.metric), row.candidate is not None and row.baseline is not None
    show = signed if paired else figure
    known = row.lower is not None and row.upper is not None
    difference = (row.candidate or 0.0) - (row.baseline or 0.0) if paired else None
    return SliceView(
        suite=row.suite,
        metric=row.metric,
        slice=", ".join(f"{tag} = {value}" for tag, value in sorted(row.slice.items()))
        or "all cases",
        n=f"{row.n:,}",
        candidate=figure(row.candidate, unit),
        baseline=figure(row.baseline, unit),
        difference=signed(difference, unit),
        interval=f"{show(row.lower, unit)} to {show(row.upper, unit)}" if known else "not measured",
        level=f"{percentage(2 * row.confidence - 1)} interval",
        method=row.method,
        mark=f"worse (Holm, {_p(row.p_holm, 1 - row.confidence)})"
        if row.worse and row.p_holm is not None
        else "",
        note=row.note,
    )


def slice_leads(facts: RunFacts) -> tuple[str, ...]:
    """Return a sentence for each suite: how many slices were tested, and on how many the candidate is worse."""
    suites: dict[str, list[SliceRow]] = {}
    for row in facts.slices:
        if row.p_holm is not None:
            suites.setdefault(row.suite, []).append(row)
    return tuple(" ".join(_lead(suite, rows)) for suite, rows in suites.items())


def _lead(suite: str, rows: list[SliceRow]) -> Iterator[str]:
    worse, undecided = sum(row.worse for row in rows), sum(bool(row.note) for row in rows)
    found = f"worse on {worse:,} of them" if worse else "worse on none of them"
    level = percentage(round(1 - rows[0].confidence, 12))
    yield (
        f"Suite {suite}: {counted(len(rows), 'slice')} tested for a candidate worse than the baseline, with Holm's"
        f" correction over all of them at {level}: {found}."
    )
    if undecided:
        yield f"{undecided:,} of them could not have been called worse, for the reason in the note."
    yield "Shown only: the gate decides by its checks."


def paired(facts: RunFacts) -> tuple[str, ...]:
    """Return a sentence for each suite that both models were asked, with the pairs in which they differ."""
    over_time = facts.kind == "regression"
    better = "right today where the reference is wrong"
    words = better if over_time else "candidate right where the baseline is wrong"
    return tuple(_paired(row, words) for row in facts.paired)


def _paired(row: PairedRow, words: str) -> str:
    return (
        f"Suite {row.suite}, {row.metric}, {counted(row.n, 'pair')}: {words}:"
        f" {row.wins:,}; the other way: {row.losses:,}; exact McNemar {_p(row.p_exact, 0.05)};"
        " display only, the gate does not decide by it."
    )


def _p(value: float, bar: float) -> str:
    """A p-value with as many digits as show its side of `bar`."""
    if value < 0.001:
        return "p < 0.001"
    return f"p = {value:.{digits_for('score', [value], bar)}f}"
