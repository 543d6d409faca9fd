"""Values typed on the command line, read with an error that names the option."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import typer

from evals.errors import ConfigurationError, Problem
from evals.gate.policy import parse_duration
from evals.people import folded
from evals.report.sanitise import clean

__all__ = ["REASON", "seconds_of", "stamp"]


def seconds_of(option: str, text: str) -> int:
    """Return a duration option in seconds. Raises ConfigurationError."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigurationError(Problem(where=option, message=str(error))) from error


def stamp() -> str:
    """Return the present time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _said(reason: str) -> str:
    reason = clean(reason)
    if not folded(reason):
        raise ConfigurationError(
            Problem(
                where="--reason",
                message="expected a few words; found none",
                fix="say why: it stays in the record",
            )
        )
    return reason


REASON: Any = typer.Option(..., "--reason", callback=_said, help="Why; it stays in the record.")
