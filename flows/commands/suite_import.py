"""`gatewright suite import`: makes a suite of an OpenAI eval with its data, or of a chat fine-tuning file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from evals.errors import ConfigurationError, Problem
from flows.commands.output import (
    JSON_OPTION,
    echo,
    emit,
)
from flows.commands.suite_lookup import open_all, refuse_all
from flows.settings import load_settings

if TYPE_CHECKING:
    from evals.suites.import_openai_eval import Imported
    from evals.suites.opened import OpenedSuite

__all__ = ["import_suite"]

SOURCE: Any = typer.Argument(
    ..., help="JSON of an OpenAI eval, or a chat fine-tuning file (.jsonl)."
)
FOLDER: Any = typer.Option(
    None, "--to", help="Folder of the new suite; else in the datasets, by the file's name."
)
DATA: Any = typer.Option(
    None, "--data", help="An eval's data, one item a line; else its run has to hold it."
)
RUN: Any = typer.Option(
    None, "--run", help="JSON of a run of the eval, for the messages and the sampling."
)
_CHAT_SUFFIXES = (".jsonl", ".ndjson")


def import_suite(
    source: Path = SOURCE,
    to: Path | None = FOLDER,
    data: Path | None = DATA,
    run: Path | None = RUN,
    as_json: bool = JSON_OPTION,
) -> None:
    """Make a suite of an OpenAI eval with its data, or of a chat fine-tuning file."""
    folder = to if to is not None else load_settings().datasets / source.stem.lower()
    if source.suffix.lower() in _CHAT_SUFFIXES:
        from evals.suites.import_chat import import_chat

        refuse_all(
            Problem(where=name, message="belongs to an eval; a chat fine-tuning file stands alone")
            for name, given in (("--data", data), ("--run", run))
            if given is not None
        )
        imported = import_chat(source, folder)
    else:
        from evals.suites.import_openai_eval import import_eval

        imported = import_eval(source, data, folder, run=run)
    opened = _brought_in(folder)
    if as_json:
        emit({**_imported(imported), "name": opened.suite.name})
        return
    echo(f"{folder}: {imported.cases} cases, graders {', '.join(imported.graders)}")
    for note in imported.notes:
        echo(f"  {note}")


def _brought_in(folder: Path) -> OpenedSuite:
    """Open what was imported; its problems can only be mended where it now is."""
    try:
        return open_all([folder])[0]
    except ConfigurationError as error:
        fix = f"mend the files, then gatewright suite check {folder}"
        written = Problem(where=str(folder), message="the suite was written as it is", fix=fix)
        raise ConfigurationError([*error.problems, written]) from None


def _imported(found: Imported) -> dict[str, Any]:
    return {
        "folder": str(found.folder),
        "cases": found.cases,
        "graders": found.graders,
        "notes": found.notes,
    }
