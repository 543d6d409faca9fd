"""`gatewright suite …`: look after suites: check them, count them, cut them in two, bring them in, take out doubles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from evals.errors import Problem, nearest
from flows.commands.output import (
    JSON_OPTION,
    console,
    echo,
    emit,
    exit_with,
)
from flows.commands.suite_import import import_suite
from flows.commands.suite_labels import labels
from flows.commands.suite_lookup import folders_of, open_all, overlap_policy, refuse_all
from flows.commands.views.suites import show_check, show_duplicates, show_stats, show_unreached
from flows.settings import load_settings

if TYPE_CHECKING:
    from evals.suites.opened import OpenedSuite

__all__ = ["register"]

SUITE: Any = typer.Argument(..., help="Name of a suite, or its folder.")
TRAINING: Any = typer.Option(
    None, "--training", help="Training file to hold the cases against; else the suite's own."
)
TO: Any = typer.Option(..., "--to", help="New file for the first part.")
REST: Any = typer.Option(..., "--rest", help="New file for all other cases.")
BY: Any = typer.Option(
    [], "--by", help="Tag whose proportions both parts keep; else the expected answers'."
)
CLEAN: Any = typer.Option(None, "--to", help="New file for the cases without doubles.")

app = typer.Typer(
    help="Look after suites: check, count, split, import, take out duplicates.",
    no_args_is_help=True,
    epilog="Example: gatewright suite check support-triage",
)


def register(root: typer.Typer) -> None:
    """Add the commands to the command line."""
    root.add_typer(app, name="suite")


@app.command(epilog="Example: gatewright suite check support-triage --training train.jsonl")
def check(
    suite: str | None = typer.Argument(None, help="Name of a suite, or its folder; else all."),
    training: Path | None = TRAINING,
    gate: str | None = typer.Option(
        None, "--gate", help="Gate whose training_overlap says what is refused; else exact matches."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Check suites whole: every problem at once, expected answers that a grader calls wrong, cases in the training file."""
    from evals.suites.leakage import find_leak, refused_pairs
    from evals.suites.reference_answers import unreached_scores
    from flows.config.sealing import may_see

    settings = load_settings()
    policy = overlap_policy(settings, gate)
    opened = open_all(folders_of(settings, suite))
    found = [(one, find_leak(one.suite, training)) for one in opened]
    shown = {one.suite.name: may_see(settings.targets, one.suite, settings.actor) for one in opened}
    refused = sum(len(refused_pairs(leak, policy)) for _, leak in found if leak is not None)
    unreached = {
        one.suite.name: unreached_scores(one, named=shown[one.suite.name]) for one in opened
    }
    if as_json:
        emit(
            [
                _checked(one, leak, named=shown[one.suite.name])
                | {"unreached_scores": msgspec.to_builtins(unreached[one.suite.name])}
                for one, leak in found
            ]
        )
    else:
        for one, leak in found:
            show_check(console(), one, leak, policy, named=shown[one.suite.name])
            show_unreached(console(), unreached[one.suite.name])
    exit_with(1 if refused or any(unreached.values()) else 0)


@app.command(epilog="Example: gatewright suite stats support-triage --json")
def stats(suite: str = SUITE, as_json: bool = JSON_OPTION) -> None:
    """Count what a suite holds: cases, clusters, tags, labels, metrics, lengths."""
    from evals.suites.curation import suite_stats

    counted = suite_stats(_open(suite))
    if as_json:
        emit(msgspec.to_builtins(counted))
    else:
        show_stats(console(), counted)


@app.command(
    epilog="Example: gatewright suite split support-triage --share 0.2 --to dev.jsonl --rest test.jsonl"
)
def split(
    suite: str = SUITE,
    share: float = typer.Option(0.2, "--share", help="Share of the cases for the first file."),
    to: Path = TO,
    rest: Path = REST,
    seed: int = typer.Option(0, "--seed", help="Another seed, another cut."),
    by: list[str] = BY,
    as_json: bool = JSON_OPTION,
) -> None:
    """Cut a suite's cases in two files. Clusters stay whole, proportions are kept."""
    from evals.suites.curation import split_cases, write_cases

    found = _open_unsealed(suite).suite
    problems = list(_tag_problems(by, list(found.cases.tags)))
    problems += _new_file_problems(("--to", to), ("--rest", rest))
    if not 0 < share < 1:
        problems.append(_option("--share", f"expected a share between 0 and 1; found {share:g}"))
    refuse_all(problems)
    parts = split_cases(found, share, seed=seed, by=tuple(by))
    if not all(parts):
        refuse_all(
            [_option("--share", f"expected cases in both parts; {share:g} leaves one empty")]
        )
    for ids, path in zip(parts, (to, rest), strict=True):
        write_cases(found, ids, path)
    written = {str(path): len(ids) for ids, path in zip(parts, (to, rest), strict=True)}
    if as_json:
        emit({"suite": found.name, "written": written})
        return
    for name, count in written.items():
        echo(f"{name}: {count} cases")


@app.command(epilog="Example: gatewright suite dedupe support-triage --to cases.clean.jsonl")
def dedupe(
    suite: str = SUITE,
    near: float = typer.Option(
        0.7, "--near", help="How alike two questions have to be, from 0 to 1 (1: the same text)."
    ),
    to: Path | None = CLEAN,
    as_json: bool = JSON_OPTION,
) -> None:
    """Find cases that ask what an earlier one asks, and write the suite without them."""
    from evals.suites.curation import duplicates, write_cases

    found = _open_unsealed(suite).suite
    problems = [] if to is None else _new_file_problems(("--to", to))
    if not 0 < near <= 1:
        problems.append(_option("--near", f"expected a number above 0, at most 1; found {near:g}"))
    refuse_all(problems)
    twice = duplicates(found, near=near)
    out = {double.case_id for double in twice}
    kept = tuple(case_id for case_id in found.cases.ids if case_id not in out)
    written = write_cases(found, kept, to) if to is not None else None
    if as_json:
        emit({"suite": found.name, "duplicates": msgspec.to_builtins(twice), "written": written})
        return
    show_duplicates(console(), found, twice)
    if to is not None:
        echo(f"{to}: {written} cases")


app.command(
    name="import",
    epilog="Example: gatewright suite import eval.json --data items.jsonl --run run.json",
)(import_suite)
app.command(
    epilog="Example: gatewright suite labels support-triage-1f0c9a77aa --grader tone --n 150 --to answers.jsonl"
)(labels)


def _open(suite: str) -> OpenedSuite:
    return open_all(folders_of(load_settings(), suite))[0]


def _open_unsealed(suite: str) -> OpenedSuite:
    """Open a suite whose cases this person may see. Raises RefusedError for one that is sealed from them."""
    from flows.config.sealing import require_may_see

    settings, opened = load_settings(), _open(suite)
    require_may_see(settings.targets, opened.suite, settings.actor)
    return opened


def _checked(opened: OpenedSuite, leak: Any, *, named: bool) -> dict[str, Any]:
    overlap: Any = msgspec.to_builtins(leak)
    if overlap is not None and not named:
        pairs = {kind: len(overlap["overlap"][kind]) for kind in ("exact", "near")}
        overlap["overlap"] |= pairs
    return {
        "suite": opened.suite.name,
        "cases": len(opened.suite.cases),
        "graders": [grader.name for grader in opened.graders],
        "fingerprint": opened.fingerprint,
        "training_overlap": overlap,
    }


def _tag_problems(by: list[str], tags: list[str]) -> list[Problem]:
    return [
        _option("--by", f"no case has a tag '{tag}'", nearest(tag, tags))
        for tag in by
        if tag not in tags
    ]


def _new_file_problems(*files: tuple[str, Path]) -> list[Problem]:
    problems = [
        _option(option, f"expected a file that doesn't exist yet; found {path}")
        for option, path in files
        if path.exists()
    ]
    if len({path.resolve() for _, path in files}) < len(files):
        problems.append(_option(files[-1][0], "expected another file than the first part's"))
    return problems


def _option(name: str, message: str, fix: str | None = None) -> Problem:
    return Problem(where=name, message=message, fix=fix)
