"""Rollbacks that were cut short: killed after the switch and asked for again, one is finished and goes back no further.

Going back walks down the models that were live, so that the same request twice would be two steps. What was begun is
written down before the switch and struck out once applications were told.
"""

from __future__ import annotations

import time
from pathlib import Path

from evals.records import Record
from flows.files import read_record, write_record
from flows.registry.store import Registry
from flows.settings import Settings

__all__ = ["begin", "finish", "under_way"]


class RollbackAttempt(Record, frozen=True, kw_only=True):
    """A rollback that was begun at a generation; `to` as it was asked for."""

    generation: int
    to: str | None


def begin(settings: Settings, registry: Registry, target: str, to: str | None) -> str | None:
    """Write down that a rollback begins, and return the model to go to: `to`, or what a cut-short one made live."""
    path, generation = _path(settings, target), registry.generation(target)
    kept = read_record(path, RollbackAttempt)
    if kept is not None and (kept.generation + 1, kept.to) == (generation, to):
        event, live = registry.event_of(target, generation), registry.live(target)
        if event is not None and event.kind == "rollback" and live is not None:
            return live.model_id
    write_record(path, RollbackAttempt(generation=generation, to=to))
    return to


def finish(settings: Settings, target: str) -> None:
    """Strike out what `begin` wrote down."""
    _path(settings, target).unlink(missing_ok=True)


def under_way(settings: Settings, target: str, *, within_s: float) -> bool:
    """Say whether a rollback was begun in the last `within_s` seconds and is not finished."""
    try:
        begun = _path(settings, target).stat().st_mtime
    except FileNotFoundError:
        return False
    return time.time() - begun < within_s


def _path(settings: Settings, target: str) -> Path:
    return settings.home / "rollbacks" / f"{target}.json"
