"""How commands say what they found: a table for people, JSON for machines, and the exit code that goes with it.

The one place where anything is written to a terminal. Names, reasons and model output come from anybody, so that escape
sequences and characters nobody sees are taken out here, of whatever is printed; what colours there are is our own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

import msgspec
import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from evals.report.sanitise import clean
from flows.registry.records import RunRecord

__all__ = [
    "EXIT_OF_REGRESSION",
    "EXIT_OF_STATE",
    "EXIT_OF_VERDICT",
    "JSON_OPTION",
    "console",
    "echo",
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
EXIT_OF_REGRESSION = {"steady": 0, "changed": 0, "worse": 1, "cannot_tell": 2}
EXIT_OF_VERDICT = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 2, "ERROR": 4}

_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""C1 controls and marks of direction; JSON itself escapes the other controls."""

JSON_OPTION: Any = typer.Option(False, "--json", help="Print JSON for machines instead of text.")


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal, or as COLUMNS says; one that breaks no long ids and paths in a file."""
    found = _CleanConsole(stderr=stderr, highlight=False)
    return (
        found
        if found.is_terminal or "COLUMNS" in os.environ
        else _CleanConsole(stderr=stderr, highlight=False, width=max(found.width, 160))
    )


class _CleanConsole(Console):
    """Writes its own styles, and no escape or control character of the text."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield what is written, each text clean."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(clean(segment.text), segment.style)


def echo(text: str, *, err: bool = False) -> None:
    """Print a text that is laid out already, such as a report, as it is."""
    typer.echo(clean(text), err=err)


def say(text: str, *, stderr: bool = False) -> None:
    """Print a sentence: broken between words where a terminal is narrower, whole for whoever reads a file or a pipe."""
    screen = _CleanConsole(stderr=stderr, highlight=False)
    if screen.is_terminal:
        screen.print(Text(text))
    else:
        typer.echo(clean(text), err=stderr)


def emit(data: Any) -> None:
    """Print a record, or plain data, as JSON; what a terminal might obey is written as escapes of JSON's own."""
    encoded = msgspec.json.encode(data, order="sorted").decode()
    typer.echo(_OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", encoded))


def exit_with(code: int) -> None:
    """Leave the command with this exit code."""
    if code:
        raise typer.Exit(code)


def run_data(run: RunRecord, verdict: Any = None, regression: Any = None) -> dict[str, Any]:
    """A run as plain data, with its verdict when there is one, and what a regression run came to."""
    data: dict[str, Any] = msgspec.to_builtins(run)
    data["verdict"] = msgspec.to_builtins(verdict) if verdict is not None else None
    if run.kind == "regression":
        data["regression"] = None if regression is None else msgspec.to_builtins(regression)
    return data
