"""Which try of its candidate a run is, and what the tries of its target add up to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evals.checks.kinds import kind_spec
from evals.gate.tries.rule import days, is_overspent
from evals.records import EarlierTry, Edit, PooledCheck, TryCount
from evals.report.numbers import counted, digits_for, figure, percentage, signed, unit_of

__all__ = ["edits_lines", "tries_lines"]


def tries_lines(tries: TryCount | None) -> tuple[str, ...]:
    """Return it in sentences; none for a run that is not counted, or of before runs were."""
    return tuple(_lines(tries)) if tries is not None else ()


def edits_lines(since: str, edits: Sequence[Edit]) -> tuple[str, ...]:
    """Return what changed since the run that was judged before, a line each; none where nothing did or it is not known."""
    return tuple(f"Changed since run {since}: {edit.words}" for edit in edits)


def _lines(tries: TryCount) -> Iterator[str]:
    if tries.number:
        first = "the first" if not tries.earlier else f"after {_before(tries.earlier)}"
        yield f"Try {tries.number} of this candidate on this target: {first}."
    yield from (_pooled(one) for one in tries.pooled)
    yield _added_up(tries)


def _before(earlier: tuple[EarlierTry, ...]) -> str:
    return ", ".join(
        f"{'try ' + str(one.try_number) if one.try_number else 'evaluation'} {one.run_id}"
        f" ({one.outcome or 'no verdict'}, {one.at[:10]})"
        for one in earlier
    )


def _added_up(tries: TryCount) -> str:
    alpha = 1.0 - tries.confidence
    found = f"{counted(tries.candidates, 'candidate')} in {days(tries.window_s)} at {percentage(round(alpha, 12))}"
    if tries.allowed is None:
        wrong = round(tries.candidates * alpha, 2)
        return f"{found}: up to {wrong:g} wrong promotions expected if all were at the margin."
    if is_overspent(tries):
        spent = percentage(round(tries.spent or 0.0, 4))
        promised = percentage(round(1.0 - (tries.together or 0.0), 12))
        return f"{found} for this one: all of them add up to {spent}, more than the family's {promised}."
    together = percentage(round(tries.allowed * alpha, 12))
    return f"{found}: the gate's family holds {together} for {tries.allowed} of them together."


def _pooled(one: PooledCheck) -> str:
    """An interval over the answers of several tries; on the scale that the check is judged on."""
    named = f"{counted(len(one.runs), 'try', 'tries')} together, {one.check}"
    if one.estimate is None:
        return f"{named}: {one.note or 'nothing to be measured'}."
    unit = "ratio" if one.percent else unit_of(one.metric)
    relative = kind_spec(one.kind).relative and not one.percent
    digits = digits_for(unit, (one.estimate, one.lower, one.upper), one.threshold)
    shown = signed if relative else figure
    low, high = (shown(bound, unit, digits) for bound in (one.lower, one.upper))
    level = percentage(round(2 * one.confidence - 1, 12))
    note = f"; {one.note}" if one.note else ""
    return f"{named}: {shown(one.estimate, unit, digits)} [{low}, {high}] ({level} interval, n = {one.n:,}){note}."
