"""`gatewright verify`: does the record hold, and does what stands agree with it? And putting right what does not."""

from __future__ import annotations

import asyncio

import typer

from evals.errors import ConfigurationError, Problem, nearest
from flows.commands.output import JSON_OPTION, console
from flows.commands.views.findings import show_findings
from flows.config.target import target_names
from flows.platforms.base import Finding
from flows.registry.opening import open_registry
from flows.settings import Settings, load_settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog="Example: gatewright verify support-triage --put-back --reason 'changed in the portal'"
    )(verify)


def verify(
    name: str | None = typer.Argument(
        None, metavar="[RUN|TARGET]", help="A run or a target; all targets when left out."
    ),
    adopt: bool = typer.Option(
        False, "--adopt", help="Make live what the deployment serves now, on your word."
    ),
    put_back: bool = typer.Option(
        False, "--put-back", help="Make what is recorded stand again, and tell applications."
    ),
    reason: str | None = typer.Option(None, "--reason", help="Why; needed to change something."),
    offline: bool = typer.Option(False, "--offline", help="Ask neither platform nor publishers."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Check the chain of events, evidence, proofs and signatures, and that what is live is really served."""
    settings = load_settings()
    runs, targets = _named(settings, name)
    if adopt or put_back:
        _change(settings, targets, adopt=adopt, put_back=put_back, reason=reason, quiet=as_json)
    found = _look(settings, runs, targets, offline)
    show_findings(found, as_json=as_json, exit_on_fail=1)


def _named(settings: Settings, name: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the runs and the targets that are meant."""
    with open_registry(settings) as registry:
        known = sorted({*registry.targets(), *target_names(settings.targets)})
        if name is None:
            return (), tuple(known)
        if name in known:
            return (), (name,)
        if registry.run(name) is not None:
            return (name,), ()
        names = [*known, *(run.run_id for run in registry.runs(limit=50))]
    message = f"there is no target and no run '{name}'"
    raise ConfigurationError(Problem(where="verify", message=message, fix=nearest(name, names)))


def _look(
    settings: Settings, runs: tuple[str, ...], targets: tuple[str, ...], offline: bool
) -> dict[str, tuple[Finding, ...]]:
    from flows.monitoring.verify import verify_chain, verify_run, verify_target

    with open_registry(settings) as registry:
        found = {"registry": verify_chain(registry)}
    for run_id in runs:
        found[run_id] = verify_run(settings, run_id)
    for target in targets:
        found[target] = asyncio.run(verify_target(settings, target, offline=offline))
    return found


def _change(
    settings: Settings,
    targets: tuple[str, ...],
    *,
    adopt: bool,
    put_back: bool,
    reason: str | None,
    quiet: bool,
) -> None:
    from flows.monitoring.drift_repair import adopt_drift, put_back_drift

    if adopt and put_back:
        raise _misused("expected one of --adopt and --put-back; found both")
    if len(targets) != 1:
        raise _misused("expected the one target to change: name it")
    if not (reason or "").strip():
        raise _misused("expected --reason: it stays in the record")
    change = adopt_drift if adopt else put_back_drift
    pointer = asyncio.run(change(settings, targets[0], reason=str(reason), actor=settings.actor))
    if not quiet:
        console().print(
            f"[green]✓[/] {targets[0]}: {pointer.model_id} is live (generation {pointer.generation})"
        )


def _misused(message: str) -> ConfigurationError:
    return ConfigurationError(Problem(where="arguments", message=message))
