"""What a live pointer stands on: the generation it was first made live by, and the overrides people gave for that one.

A rollback, a restore or a repair brings an earlier generation back; its evidence is the earlier one's.
"""

from __future__ import annotations

from evals.records import CheckResult, LivePointer
from flows.platforms.model_names import same_id
from flows.registry.decisions import consents
from flows.registry.records import Answer, Event
from flows.registry.store import Registry

__all__ = ["base_model_of", "failed_checks", "origin", "overrides_behind", "revocation_of"]


def base_model_of(registry: Registry, target: str, model_id: str) -> str | None:
    """Return the base model that a run of the target found behind a model; None when none did.

    The id of a checkpoint does not tell what it was trained on, and its price depends on that.
    """
    for run in registry.runs(target, 1000):
        named = run.candidate_model and same_id(run.candidate_model, model_id)
        if named and run.candidate and run.candidate.base_model:
            return run.candidate.base_model
    return None


def origin(registry: Registry, pointer: LivePointer) -> LivePointer:
    """Return the pointer whose evidence a pointer stands on: itself, or the one it brought back."""
    event = registry.event_of(pointer.target, pointer.generation)
    restored = event.facts()["restores"] if event is not None else None
    if restored is None:
        return pointer
    return registry.pointer_at(pointer.target, restored) or pointer


def overrides_behind(registry: Registry, pointer: LivePointer) -> tuple[Answer, ...]:
    """Return the overrides by which what is live came to be live; none for a model that cleared its gate."""
    run_id = origin(registry, pointer).run_id
    if run_id is None:
        return ()
    return tuple(answer for answer in consents(registry, run_id) if answer.decision == "override")


def failed_checks(registry: Registry, pointer: LivePointer) -> tuple[CheckResult, ...]:
    """Return the deciding checks that did not pass and that people overrode for what is live; else none."""
    verdicts = [
        registry.verdict(answer.run_id, answer.slot)
        for answer in overrides_behind(registry, pointer)[-1:]
    ]
    return tuple(
        check
        for verdict in verdicts
        if verdict is not None
        for check in verdict.checks
        if check.decides and check.outcome != "PASS"
    )


def revocation_of(registry: Registry, pointer: LivePointer) -> Event | None:
    """Return the event that revoked the live model's evidence since, None when it still holds."""
    event = registry.standing_event(pointer.target, pointer.model_id)
    return event if event is not None and event.kind == "model_revoked" else None
