"""How commands say what they found: a table for people, JSON for machines, and the exit code that goes with it."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from flows.registry.records import RunRecord

__all__ = [
    "EXIT_OF_STATE",
    "EXIT_OF_VERDICT",
    "JSON_OPTION",
    "console",
    "emit",
    "exit_with",
    "run_data",
    "say",
]

EXIT_OF_STATE = {
    "promoted": 0,
    "refused": 1,
    "waiting": 2,
    "inconclusive": 2,
    "superseded": 2,
    "failed": 4,
}
EXIT_OF_VERDICT = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 2, "ERROR": 4}

JSON_OPTION: Any = typer.Option(False, "--json", help="Print JSON for machines instead of text.")


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal, or as COLUMNS says; one that breaks no long ids and paths in a file."""
    found = Console(stderr=stderr, highlight=False)
    return (
        found
        if found.is_terminal or "COLUMNS" in os.environ
        else Console(stderr=stderr, highlight=False, width=max(found.width, 160))
    )


def say(text: str, *, stderr: bool = False) -> None:
    """Print a sentence: broken between words where a terminal is narrower, whole for whoever reads a file or a pipe."""
    screen = Console(stderr=stderr, highlight=False)
    if screen.is_terminal:
        screen.print(Text(text))
    else:
        typer.echo(text, err=stderr)


def emit(data: Any) -> None:
    """Print a record, or plain data, as JSON."""
    typer.echo(msgspec.json.encode(data, order="sorted").decode())


def exit_with(code: int) -> None:
    """Leave the command with this exit code."""
    if code:
        raise typer.Exit(code)


def run_data(run: RunRecord, verdict: Any = None) -> dict[str, Any]:
    """A run as plain data, with its verdict when there is one."""
    data: dict[str, Any] = msgspec.to_builtins(run)
    data["verdict"] = msgspec.to_builtins(verdict) if verdict is not None else None
    return data
