"""`gatewright status`: how every target stands, at one glance, and what needs a person."""

from __future__ import annotations

import asyncio

import msgspec
import typer

from evals.errors import ConfigurationError, Problem
from flows.commands.options import seconds_of
from flows.commands.output import JSON_OPTION, console, emit, exit_with, say
from flows.registry.opening import open_registry
from flows.settings import load_settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: gatewright status; gatewright status --offline --json")(status)


def status(
    target: str | None = typer.Argument(None, help="A target; all of them when left out."),
    offline: bool = typer.Option(
        False, "--offline", help="Ask neither platforms nor publishers: what is on record alone."
    ),
    within: str = typer.Option(
        "20s", "--within", help="How long what a target needs may take to answer, as 5s or 2m."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Show how all targets stand: live model, last regression, tries, last days, slots and cost, and who is needed.

    Exit code: 0 all is well; 1 something live is broken or got worse; 2 a person is needed; 3 a target's file,
    gate or suite can't be read; 4 a platform or publisher could not be asked. Of several the first in the order 1, 3, 4, 2.
    """
    from flows.commands.views.status import status_renderable
    from flows.monitoring.status.gather import gather_status, named_targets

    settings, limit_s = load_settings(), seconds_of("--within", within)
    if limit_s <= 0:
        raise ConfigurationError(Problem(where="--within", message="expected more than nothing"))
    is_new = not settings.home.exists()
    with open_registry(settings) as registry:
        names = named_targets(settings, registry, target)
        found = asyncio.run(
            gather_status(settings, registry, names, ask=not offline, limit_s=limit_s)
        )
    if as_json:
        emit(msgspec.to_builtins(found))
    elif not names:
        say(
            f"There is no target yet: no file in {settings.targets}, and nothing was ever live. Write a target file"
            ", set GATEWRIGHT_TARGETS, or try 'gatewright demo'."
        )
    else:
        if is_new:
            say(
                f"There is no home at {settings.home} yet; GATEWRIGHT_HOME says where it is.",
                stderr=True,
            )
        console().print(status_renderable(found))
    exit_with(found.exit_code)
