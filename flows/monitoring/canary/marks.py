"""Marks of the deployment: system fingerprints and model names, and when they tell nothing.

A service may give each of its machines a fingerprint of its own, or each answer. So a kind of mark triggers nothing any more once
`QUIET_AFTER` changes of it alone were no change of the model, or once more than `MOST` of it were seen.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from flows.registry.canaries import CanaryState

__all__ = ["MOST", "QUIET_AFTER", "counted_steady", "new_marks", "quiet_kinds", "with_marks"]

QUIET_AFTER = 3
MOST = 20


def new_marks(state: CanaryState, marks: Iterable[str]) -> list[str]:
    """Return the marks that were not seen before, as far as their kind still tells something."""
    quiet = quiet_kinds(state)
    return sorted(mark for mark in {*marks} - {*state.marks} if _kind(mark) not in quiet)


def with_marks(state: CanaryState, marks: Iterable[str]) -> CanaryState:
    """Return the canary with new marks on record; of a kind that has too many none is kept."""
    found = {*state.marks, *new_marks(state, marks)}
    kinds = [_kind(one) for one in found]
    many = {kind for kind in kinds if kinds.count(kind) > MOST}
    return replace(
        state,
        marks=tuple(sorted(one for one in found if _kind(one) not in many)),
        steady_marks={**state.steady_marks, **dict.fromkeys(many, QUIET_AFTER)},
    )


def counted_steady(state: CanaryState, marks: Iterable[str]) -> CanaryState:
    """Return the canary after a change of these marks alone that was no change of the model."""
    counts = dict(state.steady_marks)
    for kind in {_kind(mark) for mark in marks}:
        counts[kind] = counts.get(kind, 0) + 1
    return replace(state, steady_marks=counts)


def quiet_kinds(state: CanaryState) -> tuple[str, ...]:
    """Return the kinds of marks that trigger nothing any more, such as system fingerprint."""
    return tuple(sorted(kind for kind, times in state.steady_marks.items() if times >= QUIET_AFTER))


def _kind(mark: str) -> str:
    return "system fingerprint" if mark.startswith("system fingerprint ") else "model name"
