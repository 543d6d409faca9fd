"""`gatewright`: the command line. Errors are one clear message and an exit code, never a traceback.

0  promoted, passed, done
1  refused: the gate said no, or a rule forbids it
2  inconclusive, or waiting for a person
3  wrong input or configuration
4  infrastructure: something outside failed
130  stopped by Ctrl-C; the message says how to go on

`gatewright status` has the same codes for what it found: 0 all is well, 1 something live is broken or got worse, 2 a person
is needed, 3 a target file can't be read, 4 something could not be asked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

from evals import __version__
from evals.addresses import prepare_environment
from evals.errors import ConfigurationError, GatewrightError
from evals.files.full_disk import cause_in_full_disk
from flows.commands import (
    canary,
    decide,
    demo,
    doctor,
    freeze,
    inspect,
    plan,
    reference,
    registry,
    resume,
    rollback_and_holds,
    serve,
    status,
    suite,
    sweep,
    verify,
    watch,
)
from flows.commands import run as running
from flows.commands.interrupts import EXIT_INTERRUPTED, StoppedError
from flows.commands.output import emit, say
from flows.platforms.deadlines import telling_of_waits
from flows.settings import load_settings, prefect_home

__all__ = ["app", "main"]

EXIT_CONFIGURATION = 3
EXIT_BUG = 4

# The parser's own errors share a base class that typer exports only through its subclass.
_UsageProblem: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="gatewright",
    help="Promote a fine-tuned model only if its evaluation clears the gate.",
    epilog="Exit codes: 0 promoted or passed · 1 refused · 2 inconclusive or waiting · 3 wrong input · 4 infrastructure; status, canary and regress: see each command",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for commands in (
    running,
    resume,
    watch,
    reference,
    canary,
    status,
    inspect,
    plan,
    registry,
    rollback_and_holds,
    decide,
    doctor,
    freeze,
    verify,
    suite,
    serve,
    sweep,
    demo,
):
    commands.register(app)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    if version:
        say(f"gatewright {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(EXIT_CONFIGURATION)


@cache
def _parser() -> Any:
    """All commands with their options, made once for a process."""
    return get_command(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell, as by `>&-`
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; every error is worded here and nowhere else."""
    as_json = "--json" in arguments
    try:
        prepare_environment()
        if os.environ.get("GATEWRIGHT_LOG"):
            from flows.commands.debug_log import start_log

            start_log()
        with telling_of_waits(partial(say, stderr=True)):
            result: Any = _parser()(arguments, standalone_mode=False)
        if result == EXIT_INTERRUPTED:  # the parser swallows Ctrl-C and returns what a shell would
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except StoppedError as stopped:
        _say_stopped(str(stopped), as_json)
        return EXIT_INTERRUPTED
    except GatewrightError as error:
        _say(error, as_json, error.exit_code)
        return error.exit_code
    except _UsageProblem as error:
        _say_usage(error, as_json)
        return EXIT_CONFIGURATION
    except (KeyboardInterrupt, typer.Abort):
        _say_stopped("stopped; what was written so far is kept", as_json)
        return EXIT_INTERRUPTED
    except Exception as error:
        if os.environ.get("GATEWRIGHT_DEBUG"):
            raise
        full = cause_in_full_disk(error, _places())
        if full is not None:
            _say(full, as_json, full.exit_code)
            return full.exit_code
        _say_bug(error, as_json)
        return EXIT_BUG


def _places() -> list[Path]:
    """Where a command writes: in the home, and where Prefect keeps what is its own."""
    return [load_settings().home, prefect_home()]


def _say(error: GatewrightError, as_json: bool, code: int) -> None:
    if as_json:
        problems = (
            [str(item) for item in error.problems] if isinstance(error, ConfigurationError) else []
        )
        emit({"error": str(error), "problems": problems, "exit_code": code})
        return
    for line in str(error).splitlines():
        say(f"error: {line}" if not line.startswith(" ") else line, stderr=True)


def _say_stopped(message: str, as_json: bool) -> None:
    if as_json:
        emit({"error": message, "problems": [], "exit_code": EXIT_INTERRUPTED})
        return
    say(message, stderr=True)


def _say_usage(error: Any, as_json: bool) -> None:
    message = error.format_message()
    if as_json:
        emit({"error": message, "problems": [message], "exit_code": EXIT_CONFIGURATION})
        return
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    say(f"error: {message}{hint}", stderr=True)


def _say_bug(error: Exception, as_json: bool) -> None:
    message = f"unexpected {type(error).__name__}: {error}"
    if as_json:
        emit({"error": message, "problems": [], "exit_code": EXIT_BUG})
        return
    say(f"error: {message}", stderr=True)
    say("       this is a bug; GATEWRIGHT_DEBUG=1 shows where it comes from", stderr=True)


if __name__ == "__main__":
    main()
