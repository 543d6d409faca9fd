"""The lines of the service's log: what strangers can cause is limited, and no line does anything to a terminal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from evals.report.sanitise import clean, one_line

__all__ = ["CleanLine", "FewAlike", "log_to_stderr"]

_LONGEST = 2000


class CleanLine(logging.Formatter):
    """Formats a record; its message is one line, and escapes and control characters are taken out of all of it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """Return the line without what follows an error."""
        record.message = one_line(record.message, _LONGEST)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback where there is one."""
        return clean(super().format(record))


class FewAlike(logging.Filter):
    """Lets through, of warnings and errors that one place in the code gives, so many in so many seconds.

    The first one after that says how many were left out.
    """

    def __init__(
        self, most: int = 20, within_s: float = 60.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._most, self._within_s, self._now = most, within_s, now
        self._seen: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is written."""
        if record.levelno < logging.WARNING:
            return True
        place, now = (record.pathname, record.lineno), self._now()
        since, count = self._seen.get(place, (now, 0))
        if now - since >= self._within_s:
            if (left_out := count - self._most) > 0:
                record.msg = f"{record.msg} (and {left_out} more like it since the last one)"
            since, count = now, 0
        self._seen[place] = (since, count + 1)
        return count < self._most


def log_to_stderr() -> None:
    """Log what the service does and what libraries warn of; clients would say every request at the level of our lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(CleanLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(FewAlike())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in ("evals", "flows"):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:  # else GATEWRIGHT_LOG has said what is wanted
            logger.setLevel(logging.INFO)
