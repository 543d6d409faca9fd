"""How findings are shown: a tick or a cross for each, what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from rich.table import Table
from rich.text import Text

from evals.errors import InfrastructureError
from flows.commands.output import console, emit, exit_with
from flows.platforms.base import Finding

__all__ = ["MARKS", "show_findings"]

MARKS = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}


def show_findings(
    found: Mapping[str, Iterable[Finding]], *, as_json: bool, exit_on_fail: int
) -> None:
    """Print findings under the names they belong to, and leave with `exit_on_fail` when one of them fails.

    When only what is outside is in trouble, the exit code is that of infrastructure.
    """
    if as_json:
        emit({name: msgspec.to_builtins(tuple(findings)) for name, findings in found.items()})
    else:
        for name, findings in found.items():
            console().print(_table(name, findings))
    failed = [one for findings in found.values() for one in findings if one.level == "fail"]
    if failed:
        outside = all(finding.outside for finding in failed)
        exit_with(InfrastructureError.exit_code if outside else exit_on_fail)


def _table(name: str, findings: Iterable[Finding]) -> Table:
    table = Table(
        title=name, title_justify="left", box=None, padding=(0, 2, 0, 0), show_header=False
    )
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")  # an id that is cut can't be copied
    for finding in findings:
        table.add_row(MARKS[finding.level], finding.name, Text(finding.message))
        if finding.fix:
            table.add_row("", "", Text(f"→ {finding.fix}", style="dim"))
    return table
