"""`gatewright serve`: the service that takes webhooks, tells applications what is live and shows people why."""

from __future__ import annotations

import os
from dataclasses import replace

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
    """Take webhooks, start promotions, tell applications what is live, and show the review pages.

    On loopback, people sign in with a token that the service makes and keeps in serve.token in its home; GATEWRIGHT_SERVE_TOKEN
    names another one.
    """
    from flows.service.app import serve as run
    from flows.service.config import read_config
    from flows.service.own_token import TOKEN_FILE, own_token

    settings = load_settings()
    config = read_config(host, port, os.environ)
    token_file = None
    if config.needs_own_token:
        config = replace(config, own_token=own_token(settings.home))
        token_file = settings.home / TOKEN_FILE
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    if as_json:
        kept = str(token_file) if token_file is not None else None
        emit({"url": url, "warnings": list(config.warnings), "token_file": kept})
    else:
        screen = console(stderr=True)
        screen.print(f"Gatewright serves at {url}", markup=False)
        if token_file is not None:
            # A link with the token is for the eyes of who started it, not for a log that others read.
            link = f"{url}/sign-in?token={config.own_token}" if screen.is_terminal else ""
            how = link or f"{url}/sign-in with the token in {token_file}"
            screen.print(f"  to answer runs there as {settings.actor}: {how}", markup=False)
        for warning in config.warnings:
            screen.print(f"  ! {warning}", markup=False)
    run(settings, config)
