"""Commands that change what is live or may become so: rollback, hold, release, revoke, reinstate."""

from __future__ import annotations

import asyncio

import msgspec
import typer

from evals.errors import RefusedError, nearest
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
    app.command(
        epilog="Example: gatewright revoke support-triage gpt-4.1-mini-2025-04-14.ft-… --reason 'leaks names'"
    )(revoke)
    app.command(
        epilog="Example: gatewright reinstate support-triage gpt-4.1-mini-2025-04-14.ft-… --reason 'label error'"
    )(reinstate)


def rollback(
    target: str = typer.Argument(..., help="The target."),
    reason: str = REASON,
    to: str | None = typer.Option(
        None,
        "--to",
        help="A model that was live earlier: its generation as `history` shows it (#4), run, name (v2), id, or the"
        " beginning or end of its id. The one before when left out.",
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Go back to the model that was live before, now, and hold automation off."""
    from flows.going_back import go_back

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


def revoke(
    target: str = typer.Argument(..., help="The target."),
    model: str = typer.Argument(..., help="Id of a model that was live, or is."),
    reason: str = REASON,
    as_json: bool = JSON_OPTION,
) -> None:
    """Mark a model as one that may not be live for a target, and hold automation off; what is live stays."""
    settings = load_settings()
    load_target(settings.targets, target)
    with open_registry(settings) as registry:
        if registry.find(target, model) is None:
            known = {found.model_id for found in registry.superseded(target)}
            live = registry.live(target)
            valid = sorted({*known, *([live.model_id] if live else [])})
            raise RefusedError(
                f"{model} was never live for {target}; {nearest(model, valid) or 'nothing was'}"
            )
        event = registry.revoke(target, model, actor=settings.actor, reason=reason)
        still = registry.live(target)
    if as_json:
        emit(event)
        return
    typer.echo(f"{model} may not be live for {target} any more, and automation is on hold")
    if still is not None and still.model_id == model:
        typer.echo(f"it still is: gatewright rollback {target} --reason '…' goes back")


def reinstate(
    target: str = typer.Argument(..., help="The target."),
    model: str = typer.Argument(..., help="Id of a model that was refused or revoked."),
    reason: str = REASON,
    as_json: bool = JSON_OPTION,
) -> None:
    """Let a model be live again that was refused or revoked: on your word it may be gone back to."""
    settings = load_settings()
    load_target(settings.targets, target)
    with open_registry(settings) as registry:
        if registry.barred(target, model) is None:
            raise RefusedError(f"nothing bars {model} from {target}")
        event = registry.reinstate(target, model, actor=settings.actor, reason=reason)
    if as_json:
        emit(event)
    else:
        typer.echo(f"{model} may be live for {target} again")
