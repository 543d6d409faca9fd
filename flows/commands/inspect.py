"""Commands that only look: what is live, what happened, what a run found. They start nothing and touch no Prefect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import typer

from evals.errors import ConfigurationError, Problem
from flows.commands.output import (
    JSON_OPTION,
    console,
    echo,
    emit,
    say,
)
from flows.commands.views.history import changes_table
from flows.commands.views.live import live_data, live_renderable
from flows.commands.views.runs import left_by_process, pending_list, run_list
from flows.config.sealing import UNSEALED, may_see_run
from flows.config.target import load_target, target_names
from flows.registry.opening import open_registry, require_run
from flows.registry.store import Registry
from flows.release.outcomes import as_told
from flows.settings import Settings, load_settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example: gatewright live support-triage --json")(live)
    app.command(epilog="Example: gatewright history support-triage --limit 20")(history)
    app.command(epilog="Example: gatewright runs support-triage")(runs)
    app.command(epilog="Example: gatewright report support-triage-1f0c9a77aa --format terminal")(
        report
    )


def live(
    target: str | None = typer.Argument(None, help="A target; all of them when left out."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Show what is live, since when, and who approved it."""
    settings = load_settings()
    with _opened(settings) as registry:
        names = _targets(settings, registry, target)
        pointers = {name: registry.live(name) for name in names}
        if as_json:
            found = [live_data(registry, name, pointer) for name, pointer in pointers.items()]
            emit(found[0] if target is not None else found)
            return
        for name, pointer in pointers.items():
            console().print(live_renderable(registry, name, pointer))


@contextmanager
def _opened(settings: Settings) -> Iterator[Registry]:
    """A home that is not there is one that nobody used yet, or a wrong one; that nothing is live follows from neither."""
    is_new = not settings.home.exists()
    with open_registry(settings) as registry:
        if is_new:
            say(
                f"There is no home at {settings.home} yet, so nothing is on record; GATEWRIGHT_HOME says where it is.",
                stderr=True,
            )
        yield registry


def history(
    target: str = typer.Argument(..., help="The target."),
    limit: int = typer.Option(50, min=1, help="How many changes at most, newest first."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Show every change of a target: who, when, what, why, and on which evidence."""
    settings = load_settings()
    with _opened(settings) as registry:
        _targets(settings, registry, target)
        events = registry.history(target, limit)
        if as_json:
            emit([msgspec.to_builtins(event) for event in events])
        elif events:
            console().print(changes_table(registry, target, events))
        else:
            console().print(f"{target}: nothing has happened yet")


def runs(
    target: str | None = typer.Argument(None, help="A target; all of them when left out."),
    limit: int = typer.Option(20, min=1, help="How many at most, newest first."),
    as_json: bool = JSON_OPTION,
) -> None:
    """List runs: promotions, selections, regressions and evaluations; and triggers that are not dealt with yet (not in JSON)."""
    settings = load_settings()
    with _opened(settings) as registry:
        _targets(settings, registry, target)
        found = [as_told(registry, run) for run in registry.runs(target, limit)]
        pending = registry.inbox_pending(limit)
        regressions = {
            run.run_id: registry.regression_outcome(run.run_id)
            for run in found
            if run.kind == "regression"
        }
        died = left_by_process(registry)
    if as_json:
        told = {run_id: one and msgspec.to_builtins(one) for run_id, one in regressions.items()}
        plain = [msgspec.to_builtins(run) for run in found]
        emit(
            [
                one | ({"regression": told[one["run_id"]]} if one["run_id"] in told else {})
                for one in plain
            ]
        )
        return
    console().print(run_list(found, died, regressions) if found else "no runs yet")
    if pending:
        console().print(pending_list(pending))


def report(
    run_id: str = typer.Argument(..., help="A run, as `gatewright runs` lists them."),
    form: str = typer.Option(
        "path", "--format", help="path (of the HTML page), terminal, markdown, junit or json."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Show a run's report, written anew from what is stored."""
    from flows.reporting.gather import gather, report_run

    settings = load_settings()
    with open_registry(settings) as registry:
        run_record = require_run(registry, run_id)
        target = run_record.target
        if run_record.kind == "selection":
            _report_selection(registry, run_id, form, as_json=as_json)
            return
        if run_record.candidate is None:
            raise ConfigurationError(
                Problem(
                    where=run_id,
                    message="the run has no candidate yet, so there is nothing to report",
                )
            )
    if form == "terminal" and not as_json:
        from evals.report.formats.terminal import verdict_renderable
        from evals.report.view import build_view
        from flows.evaluation.tries.as_judged import open_as_judged

        with open_as_judged(settings, run_id) as opened:
            console().print(verdict_renderable(build_view(gather(opened))))
        return
    page = report_run(settings, run_id)
    if (mine := page.parent / UNSEALED / page.name).is_file() and may_see_run(
        settings.targets, target, settings.actor
    ):
        page = mine
    echo(_in_form(page, "json" if as_json else form))


def _report_selection(registry: Registry, run_id: str, form: str, *, as_json: bool) -> None:
    """Show a selection: in the terminal, or as JSON or Markdown; its HTML is in the report of the chosen candidate's run."""
    from evals.report.formats.markdown import render_field
    from flows.commands.views.selection import selection_renderable, selection_view
    from flows.selection.facts import selection_facts

    facts, view = selection_facts(registry, run_id), selection_view(registry, run_id)
    if facts is None or view is None:
        raise ConfigurationError(
            Problem(where=run_id, message="no candidate has been named yet: nothing to report")
        )
    if as_json or form == "json":
        emit(facts)
    elif form == "markdown":
        echo(render_field(view))
    else:
        console().print(selection_renderable(registry, run_id))


def _in_form(page: Path, form: str) -> str:
    files = {"markdown": "report.md", "junit": "report.junit.xml", "json": "report.json"}
    if form == "path":
        return str(page)
    if form not in files:
        valid = ", ".join(["path", "terminal", *files])
        raise ConfigurationError(
            Problem(where="--format", message=f"expected one of {valid}; found '{form}'")
        )
    return page.with_name(files[form]).read_text("utf-8")


def _targets(settings: Settings, registry: Registry, target: str | None) -> tuple[str, ...]:
    known = set(registry.targets())
    if target is None:
        return tuple(sorted(known | set(target_names(settings.targets))))
    if target not in known:
        load_target(settings.targets, target)  # says which names there are
    return (target,)
