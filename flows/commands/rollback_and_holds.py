"""Commands that change what is live or may become so: rollback, hold, release, revoke, reinstate."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import msgspec
import typer
from rich.markup import escape

from evals.errors import RefusedError
from evals.report.sanitise import one_line
from flows.commands.options import REASON
from flows.commands.output import (
    JSON_OPTION,
    console,
    echo,
    emit,
    say,
)
from flows.config.target import load_target
from flows.registry.opening import open_registry
from flows.settings import load_settings

if TYPE_CHECKING:
    from flows.recovery.rollback import RollbackOutcome

__all__ = ["register"]

_NAMED = "its generation as `history` shows it (#4), run, name (v2), id, or the beginning or end of its id"


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(
        epilog="Example: gatewright rollback support-triage --reason 'wrong refunds since noon'"
    )(rollback)
    app.command(epilog="Example: gatewright hold support-triage --reason 'incident 4711'")(hold)
    app.command(epilog="Example: gatewright release support-triage --reason 'incident closed'")(
        release
    )
    app.command(epilog="Example: gatewright revoke support-triage v2 --reason 'leaks names'")(
        revoke
    )
    app.command(epilog="Example: gatewright reinstate support-triage v2 --reason 'label error'")(
        reinstate
    )


def rollback(
    target: str = typer.Argument(..., help="The target."),
    reason: str = REASON,
    to: str | None = typer.Option(
        None,
        "--to",
        help=f"A model that was live earlier: {_NAMED}. The one before when left out.",
    ),
    from_generation: int | None = typer.Option(
        None,
        "--from-generation",
        min=1,
        help="Go back from this generation and from no other: asked for again, nothing more is done.",
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Go back to the model that was live before, now, and hold automation off."""
    from flows.recovery.target_rollback import finish_rollback, roll_back_target

    settings = load_settings()
    load_target(settings.targets, target)
    outcome = asyncio.run(
        roll_back_target(
            settings,
            target,
            to=to,
            reason=reason,
            actor=settings.actor,
            from_generation=from_generation,
        )
    )
    if as_json:
        emit(outcome)
    else:
        _show_rollback(target, outcome, named=to is not None, once=from_generation is not None)
    sys.stdout.flush()
    # Only now: asked for again by somebody who saw nothing of it, it is the same rollback.
    finish_rollback(settings, target, outcome)


def _show_rollback(target: str, outcome: RollbackOutcome, *, named: bool, once: bool) -> None:
    screen = console()
    live = outcome.pointer
    screen.print(f"[green]✓[/] {target}: {live.model_id} {_came_back(outcome)}")
    if not outcome.switched and not named:
        further = "" if once else " To go back further, run it again."
        screen.print(
            f"  This is the rollback from generation {live.generation - 1}; nothing more was done.{further}"
        )
    if outcome.downtime_s:
        screen.print(
            f"  {outcome.pointer.deployment} did not answer for {outcome.downtime_s:.0f} s"
        )
    if outcome.note:
        screen.print(f"[yellow]![/] {escape(outcome.note)}")
    for place in outcome.published if outcome.switched or outcome.problems else ():
        mark = "[green]✓[/]" if place.problem is None else "[yellow]![/]"
        line = f"{place.publisher}: {place.words}" if place.problem is None else place.words
        screen.print(f"{mark} {escape(line)}")
    if outcome.hold is not None:
        screen.print(
            f"  automation is on hold; when it may go on: gatewright release {target} --reason '…'"
        )


def _came_back(outcome: RollbackOutcome) -> str:
    if not outcome.switched:
        return f"is live since {outcome.pointer.since[:16].replace('T', ' ')} UTC; it was published again"
    return f"is live again ({'it was still warm' if outcome.warm else 'it was deployed again'})"


def hold(
    target: str = typer.Argument(..., help="The target."),
    reason: str = REASON,
    as_json: bool = JSON_OPTION,
) -> None:
    """Forbid automation to promote to a target until somebody releases it."""
    settings = load_settings()
    load_target(settings.targets, target)
    with open_registry(settings) as registry:
        already = registry.held(target)
        held = registry.hold(target, actor=settings.actor, reason=reason)
    if as_json:
        emit(held)
    elif already is not None:
        say(
            f"{target} is on hold already, by {held.actor}: {one_line(held.reason)} (this is on record too)"
        )
    else:
        say(f"{target} is on hold by {held.actor}: {one_line(held.reason)}")


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
        say(f"{target} is released; it was held by {held.actor}: {one_line(held.why)}")


def revoke(
    target: str = typer.Argument(..., help="The target."),
    model: str = typer.Argument(..., help=f"A model that was live, or is: {_NAMED}."),
    reason: str = REASON,
    as_json: bool = JSON_OPTION,
) -> None:
    """Mark a model as one that may not be live for a target, and hold automation off; what is live stays."""
    from flows.recovery.earlier_models import earlier_model, rollback_command

    settings = load_settings()
    load_target(settings.targets, target)
    with open_registry(settings) as registry:
        model = earlier_model(registry, target, model, where="MODEL")
        event = registry.revoke(target, model, actor=settings.actor, reason=reason)
        still, back = registry.live(target), rollback_command(registry, target)
    if as_json:
        emit(event)
        return
    echo(f"{model} may not be live for {target} any more, and automation is on hold")
    if still is not None and still.model_id == model:
        how = f"{back.command}   goes back" if back else "no other model can be gone back to"
        echo(f"it still is: {how}")


def reinstate(
    target: str = typer.Argument(..., help="The target."),
    model: str = typer.Argument(..., help=f"A model that was refused or revoked: {_NAMED}."),
    reason: str = REASON,
    as_json: bool = JSON_OPTION,
) -> None:
    """Let a model be live again that was refused or revoked: on your word it may be gone back to."""
    from flows.recovery.earlier_models import barred_model

    settings = load_settings()
    load_target(settings.targets, target)
    with open_registry(settings) as registry:
        model = barred_model(registry, target, model, where="MODEL")
        event = registry.reinstate(target, model, actor=settings.actor, reason=reason)
    if as_json:
        emit(event)
    else:
        echo(f"{model} may be live for {target} again")
