"""Values typed on the command line, read with an error that names the option."""

from __future__ import annotations

from datetime import UTC, datetime

from evals.errors import ConfigurationError, Problem
from evals.policy import seconds

__all__ = ["seconds_of", "stamp"]


def seconds_of(option: str, text: str) -> int:
    """Return a duration option in seconds. Raises ConfigurationError."""
    try:
        return seconds(text)
    except ValueError as error:
        raise ConfigurationError(Problem(where=option, message=str(error))) from error


def stamp() -> str:
    """Return the present time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
