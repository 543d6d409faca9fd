"""How far the candidate is from models that were live before: the drift that no single comparison with the live model shows."""

from __future__ import annotations

from collections.abc import Iterator

from evals.report.facts import DeclineRow, RunFacts
from evals.report.numbers import counted, figure, instant, percentage, signed, unit_of

__all__ = ["decline"]


def decline(facts: RunFacts) -> Iterator[str]:
    """Yield one sentence for each comparison with the best and with the oldest live model whose answers are kept."""
    for row in facts.declines:
        yield f"{row.metric} against {_whose(facts, row)}: {_found(row)}."


def _whose(facts: RunFacts, row: DeclineRow) -> str:
    name = facts.names.get(row.model_id, row.model_id)
    return f"{name}, {row.standing} (generation {row.generation}, live since {instant(row.since)})"


def _found(row: DeclineRow) -> str:
    if row.estimate is None or row.candidate is None or row.kept is None:
        return row.note or "nothing could be compared"
    unit = unit_of(row.metric)
    values = f"{figure(row.candidate, unit)}, was {figure(row.kept, unit)}"
    if row.ratio:
        shown = [figure(value, "ratio") for value in (row.estimate, row.lower, row.upper)]
    else:
        shown = [signed(value, unit) for value in (row.estimate, row.lower, row.upper)]
    level = percentage(2 * row.confidence - 1)
    cases = f"{counted(row.n, 'unchanged case')} asked of both"
    return f"{values}, difference {shown[0]} ({shown[1]} to {shown[2]}, {level} interval, {cases}){_note(row)}"


def _note(row: DeclineRow) -> str:
    return f"; {row.note}" if row.note else ""
