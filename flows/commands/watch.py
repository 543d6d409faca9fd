"""`gatewright watch`: finds the fine-tunes that no webhook told of."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import typer

from flows.commands.options import seconds_of, stamp
from flows.commands.output import JSON_OPTION, emit, exit_with, say
from flows.settings import Settings, load_settings

if TYPE_CHECKING:
    from flows.service.dispatcher.watching import Look

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: gatewright watch --every 60s")(watch)


def watch(
    target: str | None = typer.Argument(None, help="A target; all of them when left out."),
    every: str = typer.Option(
        "60s", "--every", help="How long to wait between two looks, such as 30s or 5m."
    ),
    once: bool = typer.Option(False, "--once", help="Look once and leave."),
    since: str | None = typer.Option(
        None, "--since", help="On the first look, how far to look back, such as 2h."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Look for fine-tunes that finished and start a promotion for each new one, on a Prefect worker."""
    pause, back = seconds_of("--every", every), seconds_of("--since", since) if since else None
    asyncio.run(_watch(load_settings(), target, pause, back, once=once, as_json=as_json))


async def _watch(
    settings: Settings,
    target: str | None,
    pause: int,
    back: int | None,
    *,
    once: bool,
    as_json: bool,
) -> None:
    from flows.config.target import load_target
    from flows.service.dispatcher.prefect_runs import PrefectRuns
    from flows.service.dispatcher.watching import watch_targets

    if target is not None:
        load_target(settings.targets, target)
    async with PrefectRuns.from_environment() as api:
        await api.reach()
        while True:
            begin = datetime.now(UTC).timestamp() - back if back is not None else None
            looks = await watch_targets(settings, api, target, since=begin)
            for look in looks:
                _show(look, as_json=as_json)
            if once:
                exit_with(4 if any(look.problem for look in looks) else 0)
                return
            back = None
            await asyncio.sleep(pause)


def _show(look: Look, *, as_json: bool) -> None:
    if as_json:
        emit(msgspec.to_builtins(look))
        return
    said = "; ".join(f"{job}: {words}" for job, words in look.said.items())
    say(
        f"{stamp()} ✗ {look.target}: {look.problem}"
        if look.problem
        else f"{stamp()} {said or f'{look.target}: nothing new'}"
    )
