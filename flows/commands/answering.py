"""Commands with which a person decides: approve or reject what waits, override what was refused."""

from __future__ import annotations

from typing import Any

import typer

from flows.commands.output import JSON_OPTION, emit
from flows.commands.running import run_promotion
from flows.settings import load_settings

__all__ = ["register"]

RUN = typer.Argument(..., help="A run, as `gatewright runs` lists them.")
REASON = typer.Option(..., "--reason", help="Why; it stays in the record.")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(
        epilog="Example: gatewright approve support-triage-1f0c9a77aa --reason 'read the report'"
    )(approve)
    app.command(
        epilog="Example: gatewright reject support-triage-1f0c9a77aa --reason 'worse in German'"
    )(reject)
    app.command(
        epilog="Example: gatewright override support-triage-1f0c9a77aa --reason 'known label error'"
    )(override)


def approve(run_id: str = RUN, reason: str = REASON, as_json: bool = JSON_OPTION) -> None:
    """Let a waiting candidate go live, and carry the promotion out."""
    _answer(run_id, "approve", reason, as_json)
    run_promotion(load_settings(), run_id, as_json=as_json)


def reject(run_id: str = RUN, reason: str = REASON, as_json: bool = JSON_OPTION) -> None:
    """Refuse a waiting candidate; what is live stays live."""
    _answer(run_id, "reject", reason, as_json)


def override(run_id: str = RUN, reason: str = REASON, as_json: bool = JSON_OPTION) -> None:
    """Let a candidate go live although the gate said no; needs as many people as the gate asks for."""
    _answer(run_id, "override", reason, as_json)
    run_promotion(load_settings(), run_id, as_json=as_json)


def _answer(run_id: str, decision: Any, reason: str, as_json: bool) -> None:
    from flows.answers import answer_run

    settings = load_settings()
    said = answer_run(settings, run_id, decision, actor=settings.actor, reason=reason)
    if not as_json:
        typer.echo(said)
    elif decision == "reject":
        emit({"run_id": run_id, "decision": decision, "detail": said})
