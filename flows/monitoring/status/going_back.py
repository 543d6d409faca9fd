"""The live model was revoked, or an automatic rollback made it live: either needs a person."""

from __future__ import annotations

from collections.abc import Iterator

from evals.records import LivePointer
from evals.report.numbers import instant
from evals.report.sanitise import one_line
from flows.monitoring.status.records import Need
from flows.platforms.model_names import same_id, short_name
from flows.recovery.earlier_models import rollback_command
from flows.registry.provenance import revocation_of
from flows.registry.records import AUTOMATION
from flows.registry.store import Registry

__all__ = ["going_back_needs"]

_LONGEST = 240


def going_back_needs(registry: Registry, live: LivePointer) -> Iterator[Need]:
    """Yield that the live model was revoked, or that a regression run made it live again and no person has dealt with it."""
    yield from _revoked(registry, live)
    yield from _rolled_back(registry, live)


def _revoked(registry: Registry, live: LivePointer) -> Iterator[Need]:
    revoked = revocation_of(registry, live)
    if revoked is not None:
        why = (
            f"{live.model_id} was revoked by {revoked.actor}: {one_line(revoked.reason, _LONGEST)}"
        )
        yield Need(
            kind="revoked",
            severity="broken",
            message=why,
            since=revoked.at,
            command=_way_back(registry, live.target),
            about=live.model_id,
        )


def _rolled_back(registry: Registry, live: LivePointer) -> Iterator[Need]:
    """An automatic rollback after a regression run, until somebody releases the hold or makes something else live."""
    hold, event = registry.held(live.target), registry.event_of(live.target, live.generation)
    if hold is None or hold.actor != AUTOMATION:
        return
    if event is None or event.kind != "rollback" or event.actor != AUTOMATION:
        return
    gone = event.from_model or ""
    run_id = _gone_back_by(registry, live.target, gone, live.model_id)
    because = f" because regression run {run_id} found {short_name(gone)} worse" if run_id else ""
    yield Need(
        kind="rolled_back",
        severity="person",
        message=f"rolled back from {short_name(gone)} to {short_name(live.model_id)} on {instant(event.at)}{because}",
        since=event.at,
        command=f"gatewright report {run_id}" if run_id else f"gatewright history {live.target}",
        run_id=run_id,
        about=gone,
    )


def _gone_back_by(registry: Registry, target: str, gone: str, to: str) -> str:
    """The regression run that went back from one model to another, "" where none is on record."""
    for run in registry.regressions_of(target, gone):
        found = registry.regression_outcome(run.run_id)
        if found is not None and same_id(found.rolled_back_to, to):
            return run.run_id
    return ""


def _way_back(registry: Registry, target: str) -> str:
    back = rollback_command(registry, target)
    return back.command if back is not None else f"gatewright history {target}"
