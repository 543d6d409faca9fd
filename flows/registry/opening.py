"""Opens the registry of an installation, and nothing else: commands that only look start fast."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from evals.errors import ConfigurationError, Problem, RegistryError, nearest
from evals.records import LivePointer
from flows.registry.records import RunRecord
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["open_registry", "require_live", "require_run", "wait_for_registry"]

PATIENCE_S = 120.0


@contextmanager
def open_registry(settings: Settings) -> Iterator[Registry]:
    """Open the registry for the length of a block."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{settings.home} is not there and can't be made: {error.strerror}"
        raise ConfigurationError(Problem(where="GATEWRIGHT_HOME", message=message)) from error
    registry = Registry.open(settings.registry_url)
    try:
        yield registry
    finally:
        registry.close()


async def wait_for_registry(settings: Settings, patience_s: float = PATIENCE_S) -> None:
    """Wait until the registry can be opened: who begins while its database is being restarted has lost nothing yet.

    Raises RegistryError when it can't be opened for so many seconds.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            with open_registry(settings):
                return
        except RegistryError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(1.0)


def require_run(registry: Registry, run_id: str) -> RunRecord:
    """Return a run. Raises ConfigurationError with the nearest id when there is none."""
    record = registry.run(run_id)
    if record is None:
        known = [run.run_id for run in registry.runs(limit=50)]
        raise ConfigurationError(
            Problem(where="run", message=f"there is no run '{run_id}'", fix=nearest(run_id, known))
        )
    return record


def require_live(registry: Registry, target: str) -> LivePointer:
    """Return what is live. Raises ConfigurationError when nothing is."""
    live = registry.live(target)
    if live is None:
        raise ConfigurationError(
            Problem(where=target, message="nothing is live", fix="promote a model first")
        )
    return live
