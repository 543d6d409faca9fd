"""`gatewright demo`: the whole story on this machine, without keys and without network."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

from flows.commands.interrupts import going_on_with
from flows.commands.output import JSON_OPTION, console, emit, exit_with, run_data
from flows.platforms.model_names import short_name
from flows.registry.opening import open_registry
from flows.registry.records import RunRecord
from flows.settings import Settings, load_settings

__all__ = ["register"]

EXPECTED = ("promoted", "promoted", "refused")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: gatewright demo")(demo)


def demo(as_json: bool = JSON_OPTION) -> None:
    """Tell the story of three fine-tunes on the embedded platform: two are promoted, one is refused."""
    from flows.demo.story import TARGET, run_story

    settings = load_settings()
    screen = console(stderr=as_json)
    screen.print(
        "[bold]Gatewright demo[/]: a fine-tune finishes, its model is tried, judged, and promoted or refused\n"
    )
    with going_on_with("gatewright demo", "the story is kept"):
        runs = run_story(settings, screen)
    if as_json:
        with open_registry(settings) as registry:
            emit([run_data(run, registry.verdict(run.run_id)) for run in runs])
    else:
        _summary(settings, TARGET, runs)
    exit_with(0 if tuple(run.state for run in runs) == EXPECTED else 1)


def _summary(settings: Settings, target: str, runs: tuple[RunRecord, ...]) -> None:
    from evals.config.documents import shown_path
    from flows.commands.inspect import live
    from flows.demo.state import MARKER, DemoState
    from flows.files import read_record

    screen = console()
    table = Table(title="What happened", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("model", "verdict", "outcome", "because"):
        table.add_column(heading, no_wrap=heading != "because")
    with open_registry(settings) as registry:
        for run in runs:
            verdict = registry.verdict(run.run_id)
            reason = verdict.reasons[0] if verdict else run.detail
            outcome = verdict.outcome if verdict else "none"
            table.add_row(short_name(run.candidate_model), outcome, run.state, Text(reason))
    screen.print(table)
    screen.print()
    live(target=target, as_json=False)
    screen.print("\n[bold]Reports[/]")
    for run in runs:
        screen.print(Text(f"  {short_name(run.candidate_model)}: {run.report}"))
    own = _own_name()
    screen.print(Text(f"\nLook on:  {own} live · {own} history {target} · {own} runs"))
    port = read_record(settings.home / MARKER, DemoState)
    if port is not None:
        url = f"http://127.0.0.1:{port.emulator_port}"
        screen.print(
            "The embedded platform is stopped; to evaluate, roll back or run a doctor, start it again:"
        )
        screen.print(Text(f"  export GATEWRIGHT_EMBEDDED_URL={url}", style="dim"))
        python, state = shown_path(Path(sys.executable)), shown_path(settings.home / "emulator")
        start = f"{python} -m flows.emulator --port {port.emulator_port} --state {state} &"
        screen.print(Text(f"  {start}", style="dim"))


def _own_name() -> str:
    """What to type for this very command line: as make starts it, it stands on no path."""
    from evals.config.documents import shown_path

    own = Path(sys.executable).with_name("gatewright")
    return own.name if shutil.which(own.name) == str(own) else shown_path(own)
