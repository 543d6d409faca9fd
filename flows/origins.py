"""What a live pointer stands on: the generation it was first made live by, and the overrides people gave for that one.

A rollback, a restore or a repair brings an earlier generation back; its evidence is the earlier one's.
"""

from __future__ import annotations

from evals.records import LivePointer
from flows.registry.records import Answer, Event
from flows.registry.store import Registry

__all__ = ["origin", "overrides_behind", "revocation_of"]


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
    return tuple(answer for answer in registry.answers(run_id) if answer.decision == "override")


def revocation_of(registry: Registry, pointer: LivePointer) -> Event | None:
    """Return the event that revoked the live model's evidence since, None when it still holds."""
    for event in registry.history(pointer.target, 500):
        if event.model_id == pointer.model_id and event.kind in _STANDING:
            return event if event.kind == "model_revoked" else None
    return None


_STANDING = frozenset(
    {"promotion", "first_release", "adopt", "model_reinstated", "model_revoked", "model_refused"}
)
