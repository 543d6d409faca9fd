"""`gatewright watch`: finds the fine-tunes that no webhook told of."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import typer

from flows.commands.options import seconds_of, stamp
from flows.commands.output import JSON_OPTION, emit
from flows.settings import Settings, load_settings

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
    from flows.orchestration.triggers import all_targets
    from flows.service.dispatcher.prefect_runs import PrefectRuns
    from flows.service.dispatcher.watching import start_finished

    targets = [found for found in all_targets(settings) if target in (None, found.name)]
    if not targets:
        from flows.config.target import load_target

        load_target(settings.targets, target or "")
    async with PrefectRuns.from_environment() as api:
        await api.reach()
        while True:
            begin = datetime.now(UTC).timestamp() - back if back is not None else None
            for found in targets:
                look = await start_finished(settings, api, found, since=begin)
                if as_json:
                    emit({"target": found.name, "started": look.started, "said": look.said})
                else:
                    said = (f"{job}: {words}" for job, words in look.said.items())
                    typer.echo(f"{stamp()} {'; '.join(said) or f'{found.name}: nothing new'}")
            if once:
                return
            back = None
            await asyncio.sleep(pause)
