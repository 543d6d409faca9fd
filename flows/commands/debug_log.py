"""The debug log: what is asked and decided, line by line, when `GATEWRIGHT_LOG` asks for it.

Modules log by the standard library under their own names. This module alone decides where the lines go, and what they may
hold: secrets are redacted and control characters taken out when a line is written, not where it is made.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

from evals.errors import ConfigurationError, Problem, nearest
from evals.files.full_disk import full_disk
from evals.report.sanitise import one_line
from evals.sampling.redaction import Redactor

__all__ = ["start_log"]

LEVEL, FILE = "GATEWRIGHT_LOG", "GATEWRIGHT_LOG_FILE"
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL|CONNECTION_STRING", re.IGNORECASE)
_LONGEST = 2000  # characters of a line


def start_log(env: Mapping[str, str] = os.environ) -> None:
    """Send the log of both packages to stderr, or to the end of `GATEWRIGHT_LOG_FILE`; without a level, do nothing.

    Raises:
        ConfigurationError: the level is none of debug, info and warning, or the file can't be written.
    """
    level = env.get(LEVEL, "").lower()
    if not level:
        return
    if level not in _LEVELS:
        expected = f"expected debug, info or warning; found '{level}'"
        raise _wrong(LEVEL, expected, nearest(level, tuple(_LEVELS)))
    handler = _handler(env.get(FILE))
    handler.setFormatter(_CleanLine(Redactor(_secrets(env))))
    for name in ("evals", "flows"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(_LEVELS[level])
        logger.propagate = False  # `serve` has a handler of its own for everything


def _handler(path: str | None) -> logging.Handler:
    if not path:
        return logging.StreamHandler(sys.stderr)
    try:
        return _LogFile(Path(path).expanduser(), encoding="utf-8")
    except OSError as error:
        raise _wrong(FILE, f"{path} can't be written: {error.strerror}") from error


class _LogFile(logging.FileHandler):
    """A log that can't be written any more says so once; what it is about goes on."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        error = sys.exc_info()[1]
        full = full_disk(error, Path(self.baseFilename)) if error is not None else None
        if full is None:
            super().handleError(record)
        elif not self._told:
            self._told = True
            sys.stderr.write(f"the log goes on without {self.baseFilename}: {full}\n")


class _CleanLine(logging.Formatter):
    """One line for each record: time in UTC, level, module, message."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, redactor: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self.converter = time.gmtime
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        # Redacted before it is cut, so that no part of a secret is left standing at the end.
        text = self._redactor.text(super().format(record), longest=sys.maxsize)
        return one_line(text, _LONGEST)


def _secrets(env: Mapping[str, str]) -> Iterator[str]:
    """Values of variables whose name tells that they are secret, each part of a list, and passwords in addresses."""
    for name, value in env.items():
        if _SECRET.search(name):
            yield value
            yield from re.split(r"[\s,;]+", value)
        if password := re.search(r"://[^/@:\s]*:([^/\s]+)@", value):
            yield from (password[1], unquote(password[1]))


def _wrong(variable: str, message: str, fix: str | None = None) -> ConfigurationError:
    return ConfigurationError(Problem(where=variable, message=message, fix=fix))
