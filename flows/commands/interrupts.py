"""Ctrl-C: one calm line that says that it stopped, that nothing is lost, and which command goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from evals.errors import GatewrightError

__all__ = ["EXIT_INTERRUPTED", "StoppedError", "going_on_with"]

EXIT_INTERRUPTED = 130


class StoppedError(GatewrightError):
    """A person stopped the command; the message says how to go on."""

    exit_code = EXIT_INTERRUPTED


@contextmanager
def going_on_with(command: str, kept: str = "what was answered is kept") -> Iterator[None]:
    """Turn Ctrl-C in a block into a StoppedError that names the command which goes on where this one stopped.

    `kept` says in a few words what is not lost.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(f"stopped; nothing is lost, {kept}. Go on with: {command}") from None
