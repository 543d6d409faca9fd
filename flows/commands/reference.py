"""`gatewright reference`: ask the live model all its suites and keep the answers as the reference of regression runs."""

from __future__ import annotations

import asyncio

import msgspec
import typer

from flows.commands.output import JSON_OPTION, echo, emit, exit_with
from flows.settings import load_settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: gatewright reference support-triage")(reference)


def reference(
    target: str = typer.Argument(..., help="The target whose live model is asked."),
    reason: str = typer.Option(
        "", "--reason", help="Why, where something speaks against it; it stays in the record."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Ask the live model its suites now and use these answers as the reference for later regression runs.

    After a regression run that found it worse, or its revocation, it takes a reason: otherwise a model that got worse would
    become its own measure.

    Exit codes: 0 kept · 1 refused · 3 wrong input · 4 not enough answers came, and the reference stays as it was.
    """
    from flows.evaluation.kept.fresh_pass import take_reference

    settings = load_settings()
    echo(f"{target}: asking the live model all its suites …", err=True)
    made = asyncio.run(
        take_reference(settings, target, actor=settings.actor, reason=reason.strip())
    )
    kept = made.kept
    if as_json:
        emit(
            {
                "target": target,
                "model_id": made.model_id,
                "generation": made.generation,
                "kept": None if kept is None else msgspec.to_builtins(kept),
                "why": made.why,
            }
        )
    elif kept is not None:
        echo(
            f"{target}: the answers of {made.model_id} are kept as the reference; later regression runs compare with them"
        )
    else:
        echo(f"{target}: no fresh answers of {made.model_id}: {made.why}")
    exit_with(0 if kept is not None else 4)
