"""`gatewright sweep`: delete what we made and nobody needs any more, keep warm what a rollback may need."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import typer
from rich.text import Text

from evals.errors import GatewrightError
from flows.commands.output import JSON_OPTION, console, emit, exit_with
from flows.settings import load_settings

if TYPE_CHECKING:
    from flows.housekeeping.answer_cache import PruneOutcome
    from flows.housekeeping.sweep_target import SweepOutcome

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: gatewright sweep support-triage --dry-run")(sweep)


def sweep(
    target: str | None = typer.Argument(None, help="A target; all of them when left out."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be done, do nothing."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Delete our own expired slots and retired deployments, and keep rollback targets warm. Never touches others'.

    It also cleans up after runs whose process died, and writes their reports (not with --dry-run). Without a target it
    covers all targets, and forgets stored answers that are older than any target reuses.
    """
    from flows.housekeeping.answer_cache import prune_answers
    from flows.housekeeping.sweep_target import sweep_all
    from flows.reporting.finish import finish_stopped

    settings = load_settings()
    finished = {} if dry_run else asyncio.run(finish_stopped(settings, target))
    found = asyncio.run(sweep_all(settings, target, dry_run=dry_run))
    # How long answers are kept follows from all targets, so it is no part of sweeping one.
    forgotten, unpruned = None, ""
    if target is None:
        try:
            forgotten = prune_answers(settings, dry_run=dry_run)
        except GatewrightError as error:
            unpruned = str(error)
    if as_json:
        emit(msgspec.to_builtins({"finished": finished, "targets": found, "answers": forgotten}))
    else:
        for run_id, problem in finished.items():
            console().print(Text(f"{run_id}: {problem or 'finished what its process left undone'}"))
        for swept in found:
            _show(swept)
        if forgotten is not None and forgotten.answers:
            _show_forgotten(forgotten)
        if unpruned:
            console().print(Text(f"✗ no stored answers were forgotten: {unpruned}", style="red"))
    stuck = unpruned or any(finished.values()) or any(swept.problems for swept in found)
    exit_with(4 if stuck else 0)


def _show(swept: SweepOutcome) -> None:
    screen = console()
    deleted, kept = ("would delete", "would keep") if swept.dry_run else ("deleted", "kept")
    screen.print(Text(swept.target, style="bold"))
    for due in swept.deleted:
        screen.print(Text(f"  {deleted} {due.name}: {due.why}"))
    for name in swept.kept_warm:
        screen.print(Text(f"  {kept} warm {name}"))
    for name in swept.paused:
        screen.print(Text(f"  {'would pause' if swept.dry_run else 'paused'} {name}"))
    for warning in swept.warnings:
        screen.print(Text(f"  ! {warning}", style="yellow"))
    for problem in swept.problems:
        screen.print(Text(f"  ✗ {problem}", style="red"))
    if not (swept.deleted or swept.kept_warm or swept.paused or swept.problems):
        screen.print(Text("  nothing to do"))


def _show_forgotten(forgotten: PruneOutcome) -> None:
    forgot = "would forget" if forgotten.dry_run else "forgot"
    days = forgotten.older_than_s / 86400
    why = f"older than the {days:.3g} days of reuse_baseline" if days else "no target reuses any"
    console().print(Text(f"{forgot} {forgotten.answers:,} stored answers: {why}"))
