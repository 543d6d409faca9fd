"""Shows what the gate measured of itself, as a table for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evals.selftest.rates import CHECKS, SAVED, MeasuredRate, SelfTest

__all__ = ["selftest_view"]


def selftest_view(found: SelfTest) -> RenderableType:
    """Return a renderable: one table for each group of rates, and a last line that says whether all was kept."""
    groups = dict.fromkeys(row.group for row in found.rows)
    tables = [_table(group, [row for row in found.rows if row.group == group]) for group in groups]
    missed = ", ".join(row.name for row in found.missed)
    verdict = f"missed: {missed}" if missed else "every promised rate was kept"
    runs = (
        f"{found.replicates:,} simulated runs a rate, seed {found.seed}, {found.seconds:.0f} s;"
        " met: within three standard errors of so many runs"
    )
    return Group(*tables, Text(f"{verdict} ({runs})", style="red" if missed else "green"))


def _table(title: str, rows: list[MeasuredRate]) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for heading in ("averages", "this gate", "target", ""):
        table.add_column(heading, justify="right")
    for row in rows:
        share = row.group == SAVED or (row.group == CHECKS and row.naive is None)
        table.add_row(
            row.name,
            "" if row.naive is None else f"{row.naive:.3f}",
            f"{row.gate:.0%}" if share else f"{row.gate:.3f}",
            _target(row, share=share),
            "" if row.met is None else "met" if row.met else "MISSED",
        )
    return table


def _target(row: MeasuredRate, *, share: bool) -> str:
    if row.target is None:
        return ""
    limit = f"{row.target:.0%}" if share else f"{row.target:.3f}"
    return f"{'<=' if row.at_most else '>='} {limit}"
