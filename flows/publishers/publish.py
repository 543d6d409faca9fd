"""Publishing everywhere at once: tried again, read back, and the lag taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from evals.errors import GatewrightError
from evals.records import LivePointer
from flows.publishers.base import Published, Publisher

__all__ = ["publish_everywhere", "withdraw_everywhere"]

_log = logging.getLogger(__name__)


async def publish_everywhere(
    publishers: Sequence[Publisher],
    pointer: LivePointer,
    *,
    attempts: int = 3,
    pause_s: float = 0.2,
) -> tuple[Published, ...]:
    """Write the pointer to every place and read it back there, all at once.

    A place that fails does not keep the others from being written; its `problem` says what happened. `pause_s` doubles
    after every try.
    """
    tries = (_one(publisher, pointer, attempts, pause_s) for publisher in publishers)
    return tuple(await asyncio.gather(*tries))


async def withdraw_everywhere(
    publishers: Sequence[Publisher], *, attempts: int = 3, pause_s: float = 0.2
) -> tuple[Published, ...]:
    """Take the pointer away from every place, and look that it is gone."""
    tries = (_one(publisher, None, attempts, pause_s) for publisher in publishers)
    return tuple(await asyncio.gather(*tries))


async def _one(
    publisher: Publisher, pointer: LivePointer | None, attempts: int, pause_s: float
) -> Published:
    problem: str | None = "never tried"
    for attempt in range(1, attempts + 1):
        problem = await _try(publisher, pointer)
        _log.info("%s, try %d: %s", publisher.name, attempt, problem or _named(pointer))
        if problem is None:
            lag = _lag(pointer) if pointer is not None else None
            return Published(publisher=publisher.name, attempts=attempt, lag_s=lag)
        if attempt < attempts:
            await asyncio.sleep(pause_s * 2 ** (attempt - 1))
    return Published(publisher=publisher.name, attempts=attempts, lag_s=None, problem=problem)


async def _try(publisher: Publisher, pointer: LivePointer | None) -> str | None:
    try:
        await (publisher.publish(pointer) if pointer is not None else publisher.withdraw())
        if publisher.reads_back and (seen := await publisher.read_back()) != pointer:
            return f"{publisher.name} reads back {_named(seen)}, not {_named(pointer)}"
    except GatewrightError as error:
        return str(error)
    except Exception as error:  # a publisher that breaks in its own way must not stop the way back
        return f"{publisher.name} broke: {type(error).__name__}: {error}"
    return None


def _named(pointer: LivePointer | None) -> str:
    if pointer is None:
        return "nothing"
    return f"{pointer.model_id} (generation {pointer.generation})"


def _lag(pointer: LivePointer) -> float:
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(pointer.since)).total_seconds())
