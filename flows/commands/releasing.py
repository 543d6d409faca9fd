"""Commands that change what is live or may become so: rollback, hold, release."""

from __future__ import annotations

import asyncio

import msgspec
import typer

from evals.errors import RefusedError
from flows.commands.output import JSON_OPTION, console, emit
from flows.settings import load_settings
from flows.stores import open_registry
from flows.target import load_target

__all__ = ["register"]

REASON = typer.Option(..., "--reason", help="Why; it stays in the record.")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(
        epilog="Example: gatewright rollback support-triage --reason 'wrong refunds since noon'"
    )(rollback)
    app.command(epilog="Example: gatewright hold support-triage --reason 'incident 4711'")(hold)
    app.command(epilog="Example: gatewright release support-triage --reason 'incident closed'")(
        release
    )


def rollback(
    target: str = typer.Argument(..., help="The target."),
    reason: str = REASON,
    to: str | None = typer.Option(
        None, "--to", help="A model that was live earlier; the one before when left out."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Go back to the model that was live before, now, and hold automation off."""
    from flows.releasing import go_back

    settings = load_settings()
    load_target(settings.targets, target)
    outcome = asyncio.run(go_back(settings, target, to=to, reason=reason, actor=settings.actor))
    if as_json:
        emit(outcome)
        return
    screen = console()
    how = "it was still warm" if outcome.warm else "it was deployed again"
    screen.print(f"[green]✓[/] {target}: {outcome.pointer.model_id} is live again ({how})")
    if outcome.downtime_s:
        screen.print(
            f"  {outcome.pointer.deployment} did not answer for {outcome.downtime_s:.0f} s"
        )
    for problem in outcome.problems:
        screen.print(f"[yellow]![/] {problem}")
    screen.print(
        f"  automation is on hold; when it may go on: gatewright release {target} --reason '…'"
    )


def hold(
    target: str = typer.Argument(..., help="The target."),
    reason: str = REASON,
    as_json: bool = JSON_OPTION,
) -> None:
    """Forbid automation to promote to a target until somebody releases it."""
    settings = load_settings()
    load_target(settings.targets, target)
    with open_registry(settings) as registry:
        held = registry.hold(target, actor=settings.actor, reason=reason)
    if as_json:
        emit(held)
    else:
        typer.echo(f"{target} is on hold by {held.actor}: {held.reason}")


def release(
    target: str = typer.Argument(..., help="The target."),
    reason: str = REASON,
    as_json: bool = JSON_OPTION,
) -> None:
    """Let automation promote to a target again."""
    settings = load_settings()
    load_target(settings.targets, target)
    with open_registry(settings) as registry:
        held = registry.release(target, actor=settings.actor, reason=reason)
    if held is None:
        raise RefusedError(f"{target} is not on hold")
    if as_json:
        emit({"target": target, "released": msgspec.to_builtins(held)})
    else:
        typer.echo(f"{target} is released; it was held by {held.actor}: {held.reason}")
