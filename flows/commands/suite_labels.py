"""`gatewright suite labels`: draw answers at random for people to label, so that a judge can be held against them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from evals.errors import ConfigurationError, Problem
from evals.files import replace_file
from flows.commands.output import JSON_OPTION, echo, emit
from flows.settings import load_settings

__all__ = ["labels"]

RUN: Any = typer.Argument(..., help="A run, as `gatewright runs` lists them.")
GRADER: Any = typer.Option(..., "--grader", help="The judge's grader.")
COUNT: Any = typer.Option(
    150, "--n", min=2, help="How many cases are drawn; a check with labels needs 100 at least."
)
TO: Any = typer.Option(..., "--to", help="New file for the answers: .jsonl, or .csv.")
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def labels(
    run_id: str = RUN,
    grader: str = GRADER,
    count: int = COUNT,
    to: Path = TO,
    as_json: bool = JSON_OPTION,
) -> None:
    """Draw a random sample of a run's answers into a file for people to fill in."""
    from flows.config.sealing import require_may_see
    from flows.evaluation.human_labels import draw
    from flows.evaluation.open_run import open_run

    if to.exists() or to.suffix not in (".jsonl", ".csv"):
        message = f"expected a .jsonl or .csv file that doesn't exist yet; found {to}"
        raise ConfigurationError(Problem(where="--to", message=message))
    with open_run(load_settings(), run_id) as run:
        for opened in run.plan.suites:
            if any(one.name == grader for one in opened.graders):
                require_may_see(run.settings.targets, opened.suite, run.settings.actor)
        drawn = draw(run, grader, count)
    write = _write_csv if to.suffix == ".csv" else _write_jsonl
    write(to, drawn.rows)
    if as_json:
        found = {"cases": drawn.cases, "answers": len(drawn.rows), "labelled": drawn.known}
        emit({"file": str(to), **found, "expects": drawn.words})
        return
    known = f" ({drawn.known} more are labelled already)" if drawn.known else ""
    echo(f"{to}: {len(drawn.rows)} answers to {drawn.cases} cases drawn at random{known}")
    echo(f"Fill in for every one {drawn.words}, and who says so; leave none out.")
    echo(f"Then put the rows into the file that human_labels of '{grader}' names.")


def _write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    replace_file(path, "".join(lines).encode())


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    file = io.StringIO(newline="")
    names = list(rows[0]) if rows else ["case_id", "answer_digest"]
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows({name: _cell(row[name]) for name in names} for row in rows)
    replace_file(path, file.getvalue().encode())


def _cell(value: Any) -> str:
    """The text of a cell. What a model said is no formula: the digest says which answer it was, not this text."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
