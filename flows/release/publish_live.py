"""Publishing what the registry says is live, until what is published and what is live agree."""

from __future__ import annotations

from collections.abc import Sequence

from flows.publishers.base import Published, Publisher
from flows.publishers.publish import publish_everywhere, withdraw_everywhere
from flows.registry.store import Registry

__all__ = ["publish_live"]

PAUSE_S = 0.2
"""Seconds before a place that failed is tried again; doubles every time."""
_ROUNDS = 10


async def publish_live(
    registry: Registry, publishers: Sequence[Publisher], target: str
) -> tuple[Published, ...]:
    """Publish what is live now; when that changed meanwhile, publish again.

    Whoever publishes last has looked after publishing, so that two at once can't leave the older pointer behind.
    """
    published: tuple[Published, ...] = ()
    for _ in range(_ROUNDS):
        pointer = registry.live(target)
        if pointer is None:
            published = await withdraw_everywhere(publishers, pause_s=PAUSE_S)
        else:
            published = await publish_everywhere(publishers, pointer, pause_s=PAUSE_S)
        # Read once more after writing: a switch in between would leave places that read the older pointer.
        if registry.live(target) == pointer:
            return published
    return tuple(
        Published(
            publisher=found.publisher,
            attempts=found.attempts,
            lag_s=None,
            problem=f"{found.publisher}: what is live changes faster than it can be published",
        )
        for found in published
    )
