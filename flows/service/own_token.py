"""The token of a service that was given none: made once, kept in the home, readable by its user alone."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from evals.errors import ConfigurationError, Problem

__all__ = ["TOKEN_FILE", "own_token"]

TOKEN_FILE = "serve.token"  # noqa: S105 - the name of a file


def own_token(home: Path) -> str:
    """Return the token in `home/serve.token`; one that is missing, empty or that others can read is made anew.

    Raises ConfigurationError when it can neither be read nor written.
    """
    path = home / TOKEN_FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        return _kept(path) or _made(path)
    except OSError as error:
        raise ConfigurationError(
            Problem(
                where=str(path),
                message=f"the token that lets people answer can't be kept there: {error.strerror}",
                fix="make the folder writable, or set GATEWRIGHT_SERVE_TOKEN",
            )
        ) from error


def _kept(path: Path) -> str:
    with suppress(FileNotFoundError):
        found = path.stat()
        if found.st_uid == os.geteuid() and not found.st_mode & 0o077:
            return path.read_text("ascii", errors="replace").strip()
    return ""


def _made(path: Path) -> str:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        fresh.unlink()
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    fresh.replace(path)
    return _kept(path)
