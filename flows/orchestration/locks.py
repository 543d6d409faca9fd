"""One promotion of a target at a time, across flow runs and machines, by a Prefect concurrency limit.

The limit is made when it is missing and asked for strictly: without `strict` a missing limit would only warn. It is a
courtesy that saves calls; what makes two promotions safe is the registry's compare-and-swap.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["target_lock"]

PATIENCE_S = 6 * 3600


@asynccontextmanager
async def target_lock(target: str) -> AsyncIterator[None]:
    """Hold the lock of a target for the length of a block, inside of a flow."""
    from prefect.client.orchestration import get_client
    from prefect.concurrency.asyncio import concurrency

    name = f"promote-{target}"
    async with get_client() as client:
        # Made anew every time: a server that lost its limits would otherwise let two promotions run side by side.
        await client.upsert_global_concurrency_limit_by_name(name, 1)
    async with concurrency(name, occupy=1, strict=True, timeout_seconds=PATIENCE_S):
        yield
