"""What the bench measured: one rate a row, beside what it was before, held against its bound."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Row", "line", "markdown", "measured", "share"]

STRICT_FROM = 5000
"""With so many replicates a rate is held against its bound as it is; with fewer, three standard errors are allowed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rate. `before` is the same without what the row is about: None where there was nothing to compare with.

    `bound` is None where nothing is promised; `at_most` says on which side it lies.
    """

    group: str
    name: str
    now: float
    before: float | None = None
    bound: float | None = None
    at_most: bool = True
    replicates: int = 1
    percent: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the bound was kept; None where there is none. A rate that is no number keeps none."""
        if self.bound is None:
            return None
        room = 0.0
        if self.replicates < STRICT_FROM:
            room = 3.0 * math.sqrt(
                max(self.bound * (1.0 - self.bound), 1e-4) / max(self.replicates, 1)
            )
        return self.now <= self.bound + room if self.at_most else self.now >= self.bound - room


def share(
    group: str,
    name: str,
    hits: Iterable[bool],
    *,
    before: Iterable[bool] | float | None = None,
    bound: float | None = None,
    at_most: bool = True,
) -> Row:
    """The share of replicates in which something happened."""
    seen = [bool(hit) for hit in hits]
    then = before if before is None or isinstance(before, float) else _mean(before)
    return Row(
        group=group,
        name=name,
        now=_mean(seen),
        before=then,
        bound=bound,
        at_most=at_most,
        replicates=len(seen),
    )


def measured(
    group: str,
    name: str,
    value: float,
    count: int,
    *,
    before: float | None = None,
    least: float | None = None,
) -> Row:
    """A mean over replicates that is at least as large as promised, shown in percent."""
    return Row(
        group=group,
        name=name,
        now=value,
        before=before,
        bound=least,
        at_most=False,
        replicates=count,
        percent=True,
    )


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a table of docs/statistics.md."""
    lines = ["| | before | now | promised | replicates |", "|---|---|---|---|---|"]
    held = list(rows)
    for group in dict.fromkeys(row.group for row in held):
        lines.append(f"| **{group}** | | | | |")
        lines += [line(row) for row in held if row.group == group]
    return "\n".join(lines)


def line(row: Row) -> str:
    """One row of the table."""
    before = "" if row.before is None else _shown(row, row.before)
    bound = ""
    if row.bound is not None:
        bound = f"{'at most' if row.at_most else 'at least'} {_shown(row, row.bound)}"
        bound += "" if row.met else " (BROKEN)"
    return f"| {row.name} | {before} | {_shown(row, row.now)} | {bound} | {row.replicates:,} |"


def _shown(row: Row, value: float) -> str:
    return f"{value:.0%}" if row.percent else f"{value:.3f}"


def _mean(hits: Iterable[bool]) -> float:
    seen = [bool(hit) for hit in hits]
    return sum(seen) / len(seen) if seen else math.nan
