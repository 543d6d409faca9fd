"""`gatewright freeze`: the live model's answers kept for good while it answers, shown, and carried elsewhere as one file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.live import Live

from evals.errors import ConfigurationError, GatewrightError, InfrastructureError, Problem
from evals.sampling.progress.displays import LinePrinter, progress_view
from evals.sampling.progress.snapshot import ProgressSink, Snapshot
from flows.commands.interrupts import going_on_with
from flows.commands.output import JSON_OPTION, console, echo, emit, say
from flows.commands.views.frozen import frozen_data, frozen_renderable, frozen_table
from flows.config.target import load_target, target_names
from flows.registry.frozen import MARK, FrozenOnRecord, by_id
from flows.registry.opening import open_registry
from flows.settings import Settings, load_settings

__all__ = ["register"]


_PROMPTS = typer.Option(
    None,
    "--prompts",
    help="JSON Lines with real prompts ('messages'), asked too and kept without a score.",
)


_TO = typer.Option(
    None, "--to", help="Write the frozen baseline to one file, such as baseline.tar.zst."
)


_READ = typer.Option(
    None, "--from", help="Ask nothing: read in what `--to` wrote on another machine."
)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog="Example: gatewright freeze support-triage --prompts production.jsonl --to baseline.tar.zst"
    )(freeze)


def freeze(
    target: str | None = typer.Argument(None, help="The target whose live model is frozen."),
    repeats: int = typer.Option(
        3, "--repeats", min=1, max=100, help="How often each case is asked."
    ),
    prompts: Path | None = _PROMPTS,
    to: Path | None = _TO,
    read: Path | None = _READ,
    frozen_id: str | None = typer.Option(
        None, "--id", help="Ask nothing: with --to, write the one with this id."
    ),
    again: bool = typer.Option(
        False, "--again", help="Ask anew, although the same was frozen before."
    ),
    with_losses: bool = typer.Option(
        False, "--with-losses", help="Freeze although some answers stay lost."
    ),
    aside: str | None = typer.Option(
        None, "--set-aside", help="Ask nothing: never choose the one with this id from now on."
    ),
    restore: str | None = typer.Option(
        None, "--restore", help="Ask nothing: have one that was set aside chosen again."
    ),
    reason: str = typer.Option(
        "", "--reason", help="Why it is set aside or restored; it stays in the record."
    ),
    listed: bool = typer.Option(
        False, "--list", help="Ask nothing: show what is frozen, of all targets when none is named."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Ask the live model every case of its suites and keep the answers for good, signed, for the day it is gone.

    A candidate can be judged against them later: `gatewright promote TARGET … --against frozen`.
    """
    settings = load_settings()
    if listed:
        _list(settings, target, as_json=as_json)
        return
    name = _required(settings, target)
    _refuse_together(read=read, to=to, frozen_id=frozen_id)
    if aside is not None or restore is not None or reason:
        _set_aside(settings, name, aside, restore, reason, as_json=as_json)
        return
    if read is not None:
        _import(settings, name, read, as_json=as_json)
        return
    if frozen_id is None:
        found, words = _freeze(
            settings, name, repeats, prompts, to, again=again, losses=with_losses
        )
    else:
        found, words = _named(settings, name, frozen_id), ""
    _show(found, words, as_json=as_json and to is None)
    if to is not None:
        _export(settings, found, to, as_json=as_json)


def _freeze(
    settings: Settings,
    target: str,
    repeats: int,
    prompts: Path | None,
    to: Path | None,
    *,
    again: bool,
    losses: bool,
) -> tuple[FrozenOnRecord, str]:
    from flows.freezing.archive import require_free
    from flows.freezing.freeze import freeze as carry_out
    from flows.freezing.freeze import question_of

    if to is not None:
        require_free(to)
    question = question_of(settings, target, repeats=repeats, prompts=prompts, again=again)
    for warning in question.warnings:
        echo(f"warning: {warning}", err=True)
    if question.warnings:
        echo("A freeze judges nothing, so it goes on; mend this before a run.", err=True)
    asked = sum(len(one.suite.cases) for one in question.plan.suites)
    echo(
        f"{target}: freezing {question.live.model_id}, {asked:,} questions {repeats} times each …",
        err=True,
    )
    with _disk(), going_on_with("the same command"), _Shown() as shown:
        done = asyncio.run(carry_out(question, progress=shown, with_losses=losses))
    words = "" if done.new else "The same was frozen before: nothing was asked (--again asks anew)."
    return done.on_record, words


@contextmanager
def _disk() -> Iterator[None]:
    """Name what can't be written in one sentence: a home that can only be read is no fault of the program."""
    try:
        yield
    except OSError as error:
        if isinstance(error, GatewrightError):
            raise
        where = error.filename or "a file"
        raise InfrastructureError(f"{where} can't be written: {error.strerror or error}") from error


class _Shown:
    """Progress on a terminal as a bar, elsewhere as a line now and then; on stderr, since stdout is the result's."""

    def __init__(self) -> None:
        self._console = console(stderr=True)
        self._live = Live(console=self._console, transient=True)
        self._sink: ProgressSink = LinePrinter(lambda line: echo(line, err=True))

    def __enter__(self) -> _Shown:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self, snapshot: Snapshot) -> None:
        """Show how far it is."""
        if self._console.is_terminal:
            self._live.update(progress_view(snapshot))
        else:
            self._sink.update(snapshot)


def _import(settings: Settings, target: str, path: Path, *, as_json: bool) -> None:
    from flows.freezing.unpack import import_frozen
    from flows.release.signing import verifying_key

    load_target(settings.targets, target)  # says which names there are
    with _disk():
        found, new = import_frozen(settings, target, path)
    words = "Imported." if new else "It was here already; its files are whole."
    if not found.signed:
        words += " It is unsigned; its digests were checked."
    elif verifying_key() is None:
        words += " Its signature was not checked: GATEWRIGHT_VERIFY_KEY is not set."
    _show(found, words, as_json=as_json)


def _export(settings: Settings, found: FrozenOnRecord, to: Path, *, as_json: bool) -> None:
    from flows.freezing.archive import export

    with _disk():
        size = export(settings, found, to)
    if as_json:
        emit({**frozen_data(found), "file": str(to), "bytes": size})
    else:
        say(f"written to {to} ({size:,} bytes); read it in elsewhere with: {_read_in(found, to)}")


def _read_in(found: FrozenOnRecord, to: Path) -> str:
    return f"gatewright freeze {found.baseline.target} --from {to.name}"


def _show(found: FrozenOnRecord, words: str, *, as_json: bool) -> None:
    if as_json:
        emit(frozen_data(found))
        return
    console().print(frozen_renderable(found))
    if words:
        say(words)


def _list(settings: Settings, target: str | None, *, as_json: bool) -> None:
    with open_registry(settings) as registry:
        if target is None:
            names = sorted({*registry.targets(), *target_names(settings.targets)})
        else:
            names = [target]
            if target not in registry.targets():
                load_target(settings.targets, target)  # says which names there are
        found = [one for name in names for one in registry.frozen(name)]
        live = {name: registry.live(name) for name in names}
    if as_json:
        emit([frozen_data(one) for one in found])
    elif found:
        console().print(frozen_table(found, live))
    else:
        say("Nothing is frozen; gatewright freeze TARGET keeps the answers of what is live.")


def _set_aside(
    settings: Settings,
    target: str,
    aside: str | None,
    restore: str | None,
    reason: str,
    *,
    as_json: bool,
) -> None:
    named = aside or restore
    if named is None or not reason.strip() or (aside and restore):
        message = "expected --set-aside ID or --restore ID, one of them, with --reason"
        raise ConfigurationError(Problem(where="arguments", message=message))
    found = _named(settings, target, named)
    said = f"It is set aside{' no longer' if restore else ''}"
    if bool(found.set_aside) == (aside is not None):
        _show(found, f"{said} already; nothing was changed.", as_json=as_json)
        return
    with open_registry(settings) as registry:
        registry.set_frozen_aside(
            found, actor=settings.actor, reason=reason, restore=restore is not None
        )
    _show(_named(settings, target, named), f"{said}.", as_json=as_json)


def _named(settings: Settings, target: str, frozen_id: str) -> FrozenOnRecord:
    with open_registry(settings) as registry:
        frozen = registry.frozen(target)
    found = by_id(frozen, frozen_id.removeprefix(MARK))
    if found is not None:
        return found
    known = ", ".join(one.baseline.frozen_id for one in frozen) or "none"
    message = f"expected the id of a frozen baseline of {target} ({known}); found '{frozen_id}'"
    raise ConfigurationError(Problem(where="--id", message=message))


def _required(settings: Settings, target: str | None) -> str:
    if target is None:
        known = ", ".join(target_names(settings.targets))
        raise ConfigurationError(
            Problem(
                where="arguments", message=f"expected a target ({known}), or --list; found none"
            )
        )
    return target


def _refuse_together(*, read: Path | None, to: Path | None, frozen_id: str | None) -> None:
    if read is not None and (to is not None or frozen_id is not None):
        message = "expected --from alone; found --to or --id beside it"
        raise ConfigurationError(Problem(where="arguments", message=message))
    if frozen_id is not None and to is None:
        message = "expected --to beside --id; found none"
        fix = "gatewright freeze --list shows what is frozen"
        raise ConfigurationError(Problem(where="arguments", message=message, fix=fix))
