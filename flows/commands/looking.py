"""Commands that only look: what is live, what happened, what a run found. They start nothing and touch no Prefect."""

from __future__ import annotations

from pathlib import Path

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from evals.errors import ConfigurationError, Problem
from evals.records import LivePointer
from flows.commands.output import JSON_OPTION, console, emit
from flows.model_words import short_name
from flows.origins import origin, overrides_behind, revocation_of
from flows.registry.records import Event
from flows.registry.store import Registry
from flows.settings import Settings, load_settings
from flows.stores import open_registry, require_run
from flows.target import load_target, target_names

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
    """Show what is live, since when, and on whose word."""
    settings = load_settings()
    with open_registry(settings) as registry:
        names = _targets(settings, registry, target)
        pointers = {name: registry.live(name) for name in names}
        if as_json:
            found = [_live_data(registry, name, pointer) for name, pointer in pointers.items()]
            emit(found[0] if target is not None else found)
            return
        for name, pointer in pointers.items():
            _show_live(registry, name, pointer)


def history(
    target: str = typer.Argument(..., help="The target."),
    limit: int = typer.Option(50, min=1, help="How many changes at most, newest first."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Show every change of a target: who, when, what, why, and on which evidence."""
    settings = load_settings()
    with open_registry(settings) as registry:
        _targets(settings, registry, target)
        events = registry.history(target, limit)
    if as_json:
        emit([msgspec.to_builtins(event) for event in events])
        return
    table = Table(
        title=f"{target}: newest first", title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    for heading in ("when (UTC)", "what", "who", "model", "evidence", "why"):
        table.add_column(heading)
    for event in events:
        table.add_row(
            event.at[:19],
            event.kind,
            event.actor,
            Text(event.model_id or "—"),
            Text(_evidence(event)),
            Text(_shortened(event.reason)),
        )
    console().print(table if events else f"{target}: nothing has happened yet")


def runs(
    target: str | None = typer.Argument(None, help="A target; all of them when left out."),
    limit: int = typer.Option(20, min=1, help="How many at most, newest first."),
    as_json: bool = JSON_OPTION,
) -> None:
    """List runs: promotions, regressions and evaluations."""
    settings = load_settings()
    with open_registry(settings) as registry:
        _targets(settings, registry, target)
        found = registry.runs(target, limit)
    if as_json:
        emit([msgspec.to_builtins(run) for run in found])
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("run", "kind", "state", "candidate", "updated (UTC)", "detail"):
        table.add_column(heading)
    for run in found:
        table.add_row(
            run.run_id,
            run.kind,
            run.state,
            Text(run.candidate_model),
            run.updated_at[:19],
            Text(run.detail[:90]),
        )
    console().print(table if found else "no runs yet")


def report(
    run_id: str = typer.Argument(..., help="A run, as `gatewright runs` lists them."),
    form: str = typer.Option(
        "path", "--format", help="path (of the HTML page), terminal, markdown, junit or json."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Show a run's report, written anew from what is stored."""
    from flows.reporting import gather, report_run  # with the statistics behind them: a second

    settings = load_settings()
    with open_registry(settings) as registry:
        if require_run(registry, run_id).candidate is None:
            raise ConfigurationError(
                Problem(
                    where=run_id,
                    message="the run has no candidate yet, so there is nothing to report",
                )
            )
    if form == "terminal" and not as_json:
        from evals.report.terminal import verdict_renderable
        from evals.report.view import build_view
        from flows.opening import open_run

        with open_run(settings, run_id) as run:
            console().print(verdict_renderable(build_view(gather(run))))
        return
    page = report_run(settings, run_id)
    typer.echo(_in_form(page, "json" if as_json else form))


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


def _shortened(reason: str, most: int = 200) -> str:
    return reason if len(reason) <= most else reason[: most - 2] + " …"


def _evidence(event: Event) -> str:
    """The run behind a change, and the first digits of the digest of what it measured."""
    digits = (event.evidence_digest or "").removeprefix("sha256:")[:12]
    return " ".join(filter(None, (event.run_id, digits))) or "—"


def _live_data(registry: Registry, name: str, pointer: LivePointer | None) -> dict[str, object]:

    held = registry.held(name)
    data: dict[str, object] = {"target": name, "live": None, "hold": msgspec.to_builtins(held)}
    if pointer is not None:
        data["live"] = msgspec.to_builtins(pointer)
        data["name"] = short_name(pointer.model_id)
        data["model_id"] = pointer.model_id
        data["by"] = _on_whose_word(registry, name)
        overrides, revoked = overrides_behind(registry, pointer), revocation_of(registry, pointer)
        data["overrides"] = msgspec.to_builtins(overrides)
        data["revoked"] = msgspec.to_builtins(revoked)
        data["evidence"] = origin(registry, pointer).run_id
    return data


def _on_whose_word(registry: Registry, name: str) -> dict[str, str] | None:
    for event in registry.history(name, 50):
        if event.generation is not None:
            return {
                "actor": event.actor,
                "kind": event.kind,
                "reason": event.reason,
                "at": event.at,
            }
    return None


def _show_grounds(registry: Registry, pointer: LivePointer) -> None:
    """The evidence that what is live stands on, and what speaks against it."""
    screen, run_id = console(), origin(registry, pointer).run_id
    if run_id and registry.run(run_id) is not None:
        screen.print(Text(f"  evidence    gatewright report {run_id}"))
    for answer in overrides_behind(registry, pointer):
        said = (
            f"  against its gate: overridden by {answer.actor} on {answer.at[:10]}: {answer.reason}"
        )
        screen.print(Text(said, style="yellow"))
    if (revoked := revocation_of(registry, pointer)) is None:
        return
    screen.print(
        Text(f"  revoked     {revoked.at[:19]} by {revoked.actor}: {revoked.reason}", style="red")
    )
    if (before := registry.previous(pointer.target)) is not None:
        back = f"gatewright rollback {pointer.target} --reason '…'   goes back to {before.model_id}"
        screen.print(Text(f"  the way back  {back}", style="red"))


def _show_live(registry: Registry, name: str, pointer: LivePointer | None) -> None:

    screen = console()
    if pointer is None:
        screen.print(f"[bold]{name}[/]: nothing is live")
    else:
        word = _on_whose_word(registry, name) or {}
        screen.print(
            f"[bold]{name}[/]: [green]{short_name(pointer.model_id)}[/] is live (generation {pointer.generation})"
        )
        screen.print(Text(f"  model       {pointer.model_id}"))
        screen.print(Text(f"  answers at  {pointer.endpoint.base_url} as {pointer.endpoint.model}"))
        screen.print(Text(f"  since       {pointer.since[:19]} UTC"))
        screen.print(
            Text(
                f"  on the word of {word.get('actor', '?')}: {_shortened((word.get('reason') or word.get('kind', '')).split('; ')[0], 160)}"
            )
        )
        _show_grounds(registry, pointer)
    held = registry.held(name)
    if held is not None:
        screen.print(
            Text(
                f"  on hold since {held.since[:19]} by {held.actor}: {held.reason}", style="yellow"
            )
        )
