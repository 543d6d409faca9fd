"""`gatewright resume` and `retry`: go on with a run that was stopped half-way, or that lacks answers, here and now."""

from __future__ import annotations

import typer

from evals.errors import RefusedError
from flows.commands.carry_out import go_on
from flows.commands.output import (
    JSON_OPTION,
    echo,
)
from flows.registry.opening import open_registry, require_run
from flows.settings import load_settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: gatewright resume support-triage-1f0c9a77aa")(resume)
    app.command(epilog="Example: gatewright retry support-triage-1f0c9a77aa")(retry)


def resume(
    run_id: str = typer.Argument(..., help="A run, as `gatewright runs` lists them."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Go on with a promotion, a selection or an evaluation that stopped half-way; nothing is asked twice.

    Of a judged regression run whose process died, what follows from it is done: hold, revocation, rollback, alert.
    """
    settings = load_settings()
    with open_registry(settings) as registry:
        run = require_run(registry, run_id)
        judged = registry.verdict(run_id) is not None
    if run.kind == "regression" and not judged:
        raise RefusedError(
            f"{run_id} is a regression run, and those look at one day; ask anew: gatewright regress {run.target}"
        )
    go_on(settings, run, as_json=as_json)


def retry(
    run_id: str = typer.Argument(..., help="A judged run, as `gatewright runs` lists them."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Ask again for the answers that a judged run lacks, and judge it anew: the same try, no second one."""
    from flows.evaluation.lost_answers.retry import begin_retry

    settings = load_settings()
    missing = begin_retry(settings, run_id, actor=settings.actor)
    with open_registry(settings) as registry:
        run = require_run(registry, run_id)
    echo(f"{run_id}: asks again for {missing:,} missing answers", err=True)
    go_on(settings, run, as_json=as_json)
