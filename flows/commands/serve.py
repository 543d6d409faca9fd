"""`gatewright serve`: the service that takes webhooks, tells applications what is live and shows people why."""

from __future__ import annotations

import os

import typer

from flows.commands.output import JSON_OPTION, console, emit
from flows.settings import load_settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: gatewright serve --port 8710")(serve)


def serve(
    host: str = typer.Option(
        "127.0.0.1",
        "--host",
        help="Address to listen on; one that others can reach needs GATEWRIGHT_SERVE_TOKEN or GATEWRIGHT_ACTOR_HEADER.",
    ),
    port: int = typer.Option(8710, "--port", min=1, max=65535, help="Port to listen on."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Take webhooks, start promotions, tell applications what is live, and show the review pages."""
    from flows.service.app import serve as run
    from flows.service.config import read_config

    settings = load_settings()
    config = read_config(host, port, os.environ)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    if as_json:
        emit({"url": url, "warnings": list(config.warnings)})
    else:
        screen = console(stderr=True)
        screen.print(f"Gatewright serves at {url}", markup=False)
        for warning in config.warnings:
            screen.print(f"  ! {warning}", markup=False)
    run(settings, config)
