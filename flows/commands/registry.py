"""`gatewright registry …`: moving the registry to another database."""

from __future__ import annotations

import msgspec
import typer

from flows.commands.output import (
    JSON_OPTION,
    echo,
    emit,
)
from flows.registry.opening import open_registry
from flows.settings import load_settings

__all__ = ["register"]

TO = typer.Option(
    ..., "--to", help="The new one: postgresql://USER@HOST/DATABASE or sqlite:///FILE, empty."
)

app = typer.Typer(
    help="Look after the registry: move it to another database.",
    no_args_is_help=True,
    epilog="Example: gatewright registry move --to postgresql://gate@db/gatewright",
)


def register(root: typer.Typer) -> None:
    """Add the commands to the command line."""
    root.add_typer(app, name="registry")


@app.callback()
def _registry() -> None:
    """Look after the registry: move it to another database."""


@app.command(epilog="Example: gatewright registry move --to postgresql://gate@db/gatewright")
def move(to: str = TO, as_json: bool = JSON_OPTION) -> None:
    """Copy the registry, its chain of events included, into an empty database; the old one stays as it is."""
    from flows.registry.database.migrate import move as carry
    from flows.registry.store import Registry

    settings = load_settings()
    with open_registry(settings) as source, Registry.open(to) as goal:
        copied = carry(source, goal)
        number, newest = goal.chain_head()
    if as_json:
        emit({"rows": msgspec.to_builtins(copied), "events": number, "head": newest})
        return
    echo(
        f"{sum(copied.values())} rows copied; {number} events hold together, the newest is {newest[:16]}"
    )
    echo("from now on: export GATEWRIGHT_REGISTRY_URL=… in every process, and put the old one away")
