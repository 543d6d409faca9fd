"""The outcome of a run in words that still hold later: the sentence stored when it went live ages.

The pointers say as which generation it went live, until when, and whether it is live again.
"""

from __future__ import annotations

from msgspec.structs import replace

from evals.records import LivePointer
from evals.report.numbers import instant
from flows.registry.provenance import origin
from flows.registry.records import RunRecord
from flows.registry.store import Registry

__all__ = ["LIVE", "as_told"]

LIVE = "live"
"""The step a promotion ends with; its `note` says what did not go as it should."""


def as_told(registry: Registry, run: RunRecord) -> RunRecord:
    """Return a run with a sentence on its outcome that holds now."""
    own = registry.pointers_of(run.run_id) if run.state == "promoted" else ()
    if not own:
        return run
    return replace(run, detail=f"{_went_live(registry, run, own[0])}{_note(registry, run)}")


def _went_live(registry: Registry, run: RunRecord, own: LivePointer) -> str:
    said = f"went live as generation {own.generation}"
    after = registry.event_of(run.target, own.generation + 1)
    if after is None:
        return said
    said += f", live until {instant(after.at)}"
    live = registry.live(run.target)
    if live is not None and origin(registry, live).generation == own.generation:
        said += f", live again since {instant(live.since)}"
    return said


def _note(registry: Registry, run: RunRecord) -> str:
    done = [
        mark for mark in registry.steps(run.run_id) if (mark.step, mark.phase) == (LIVE, "done")
    ]
    return str(done[-1].detail.get("note", "")) if done else ""
