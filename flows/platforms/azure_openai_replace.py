"""Replacing the model under a fixed deployment name: delete, wait, create, wait; with downtime that is measured.

For applications that know one deployment name only. Every step can be repeated: a process killed in between is run again
with the same arguments (and `previous` from the caller's own record) and ends in the same state.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from evals.errors import GatewrightError, PlatformError
from flows.platforms.azure_openai_account import ArmAccount
from flows.platforms.azure_openai_deploying import Deployer
from flows.platforms.azure_openai_wire import OWN_TAG
from flows.platforms.base import Connection, Deployment, SlotSpec
from flows.platforms.model_names import same_model

__all__ = ["Replacement", "replace_deployment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """How a replace ended. `downtime_s` runs from the deletion to the first good answer; 0 when nothing was deleted."""

    deployment: Deployment
    connection: Connection
    previous: Deployment | None
    downtime_s: float


class _Replaces(Protocol):
    @property
    def account(self) -> ArmAccount: ...

    async def wait_ready(self, deployment: Deployment) -> Connection: ...


async def replace_deployment(
    platform: _Replaces,
    deployer: Deployer,
    name: str,
    model_id: str,
    slot: SlotSpec,
    *,
    tags: Mapping[str, str],
    previous: Deployment | None = None,
) -> Replacement:
    """Make `model_id` stand under `name` whatever stood there. Raises PlatformError, saying what stands then."""
    standing = await platform.account.get(name)
    before = previous or standing
    began = time.monotonic()
    deleted = standing is not None and not same_model(model_id, standing.model_id)
    if deleted:
        async with platform.account.writing:
            await deployer.remove(name)
    try:
        deployment = await deployer.deploy(name, model_id, slot, tags)
        connection = await platform.wait_ready(deployment)
    except GatewrightError as error:
        raise await _put_back(platform, deployer, name, model_id, before, error) from error
    down = deleted or (standing is None and previous is not None)
    downtime = time.monotonic() - began if down else 0.0
    return Replacement(
        deployment=deployment, connection=connection, previous=before, downtime_s=downtime
    )


async def _put_back(
    platform: _Replaces,
    deployer: Deployer,
    name: str,
    model_id: str,
    before: Deployment | None,
    error: GatewrightError,
) -> GatewrightError:
    """Restore what stood before and return the error to raise."""
    if before is None or same_model(model_id, before.model_id):
        return error
    slot = SlotSpec(slot=before.slot, sku=before.sku, capacity=before.capacity)
    tags = {key: value for key, value in before.tags.items() if key != OWN_TAG}
    try:
        standing = await platform.account.get(name)
        if standing is not None and not same_model(before.model_id, standing.model_id):
            async with platform.account.writing:
                await deployer.remove(name)
        await platform.wait_ready(await deployer.deploy(name, before.model_id, slot, tags))
    except GatewrightError as second:
        return PlatformError(
            f"{name} has no model: {model_id} could not be put there ({error}), nor {before.model_id} put back"
            f" ({second})",
            code="ReplaceFailed",
            hint="deploy by hand, or run the rollback again once the cause is gone",
        )
    return PlatformError(
        f"{model_id} could not be put under {name}: {error}",
        code="ReplaceFailed",
        hint=f"{before.model_id} was put back and answers again",
    )
