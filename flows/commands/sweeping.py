"""`gatewright sweep`: delete what we made and nobody needs any more, keep warm what a rollback may need."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import typer
from rich.text import Text

from flows.commands.output import JSON_OPTION, console, emit, exit_with
from flows.settings import load_settings

if TYPE_CHECKING:
    from flows.sweeping import Swept

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: gatewright sweep support-triage --dry-run")(sweep)


def sweep(
    target: str | None = typer.Argument(None, help="A target; all of them when left out."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be done, do nothing."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Delete our own expired slots and retired deployments, and keep rollback targets warm. Never touches others'."""
    from flows.sweeping import sweep_all

    found = asyncio.run(sweep_all(load_settings(), target, dry_run=dry_run))
    if as_json:
        emit([msgspec.to_builtins(swept) for swept in found])
    else:
        for swept in found:
            _show(swept)
    exit_with(4 if any(swept.problems for swept in found) else 0)


def _show(swept: Swept) -> None:
    screen = console()
    deleted, kept = ("would delete", "would keep") if swept.dry_run else ("deleted", "kept")
    screen.print(Text(swept.target, style="bold"))
    for due in swept.deleted:
        screen.print(Text(f"  {deleted} {due.name}: {due.why}"))
    for name in swept.kept_warm:
        screen.print(Text(f"  {kept} warm {name}"))
    for name in swept.paused:
        screen.print(Text(f"  {'would pause' if swept.dry_run else 'paused'} {name}"))
    for problem in swept.problems:
        screen.print(Text(f"  ✗ {problem}", style="red"))
    if not (swept.deleted or swept.kept_warm or swept.paused or swept.problems):
        screen.print(Text("  nothing to do"))
