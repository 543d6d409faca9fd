"""Which try of its candidate a run is, and what the tries of its target add up to."""

from __future__ import annotations

from collections.abc import Iterator

from evals.gate.tries import days
from evals.records import EarlierTry, TryCount
from evals.report.numbers import counted, percentage

__all__ = ["tries_lines"]


def tries_lines(tries: TryCount | None) -> tuple[str, ...]:
    """Return it in sentences; none for a run that is not counted, or of before runs were."""
    return tuple(_lines(tries)) if tries is not None else ()


def _lines(tries: TryCount) -> Iterator[str]:
    if tries.number:
        first = "the first" if not tries.earlier else f"after {_before(tries.earlier)}"
        yield f"Try {tries.number} of this candidate on this target: {first}."
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
    together = percentage(round(tries.allowed * alpha, 12))
    return f"{found}: the gate's family holds {together} for {tries.allowed} of them together."
