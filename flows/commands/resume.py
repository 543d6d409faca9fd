"""`gatewright resume`: go on with a run that was stopped half-way, here and now."""

from __future__ import annotations

import typer

from evals.errors import RefusedError
from flows.commands.output import JSON_OPTION
from flows.commands.run import run_evaluation, run_promotion, show_run
from flows.registry.opening import open_registry, require_run
from flows.settings import load_settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: gatewright resume support-triage-1f0c9a77aa")(resume)


def resume(
    run_id: str = typer.Argument(..., help="A run, as `gatewright runs` lists them."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Go on with a promotion, a selection or an evaluation that stopped half-way; nothing is asked twice."""
    settings = load_settings()
    with open_registry(settings) as registry:
        run = require_run(registry, run_id)
        judged = registry.verdict(run_id) is not None
    if run.kind == "regression":
        raise RefusedError(
            f"{run_id} is a regression run, and those look at one day; ask anew: gatewright regress {run.target}"
        )
    if run.settled or (run.kind == "evaluation" and judged):
        show_run(settings, run_id, as_json)
    elif run.kind == "evaluation":
        run_evaluation(settings, run_id, as_json=as_json)
    else:
        run_promotion(settings, run_id, as_json=as_json)
