"""Waiting for what a test needs to see, however slow the machine is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["PATIENCE_S", "until", "wait_until"]

T = TypeVar("T")

PATIENCE_S = 900.0
"""Long enough under `nice` beside busy loops, where everything takes twenty times as long: only a test that fails waits so."""


def wait_until(seen: Callable[[], T | None], what: str = "it") -> T:
    """Return what `seen` returns as soon as that is true. Raises AssertionError when it never is."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := seen()):
        assert time.monotonic() < deadline, f"{what} did not happen in {PATIENCE_S:g} s"
        time.sleep(0.01)
    return found


async def until(seen: Callable[[], T | None], what: str = "it") -> T:
    """Do as `wait_until` and let the loop's other tasks work meanwhile."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := seen()):
        assert time.monotonic() < deadline, f"{what} did not happen in {PATIENCE_S:g} s"
        await asyncio.sleep(0.01)
    return found
