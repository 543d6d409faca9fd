"""Another model under a fixed deployment name: in place where the service does that, else delete, wait, create, wait.

For applications that know one deployment name only; how long nothing answered is measured. Every step can be repeated: a
process killed in between is run again with the same arguments (and `previous` from the caller's own record) and ends in
the same state.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from evals.errors import GatewrightError, PlatformError
from flows.platforms.azure.account import ArmAccount
from flows.platforms.azure.arm.documents import OWN_TAG
from flows.platforms.azure.changes import REFUSED_CHANGES, changes_in_place, not_in_place
from flows.platforms.azure.deploying import Deployer, refuse_untuned
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


@dataclass(frozen=True, slots=True)
class _WantedDeployment:
    name: str
    model_id: str
    slot: SlotSpec
    tags: Mapping[str, str]


class _AzurePlatform(Protocol):
    @property
    def account(self) -> ArmAccount: ...

    async def wait_ready(self, deployment: Deployment) -> Connection: ...


async def replace_deployment(
    platform: _AzurePlatform,
    deployer: Deployer,
    name: str,
    model_id: str,
    slot: SlotSpec,
    *,
    tags: Mapping[str, str],
    previous: Deployment | None = None,
    gapless: bool = False,
) -> Replacement:
    """Make `model_id` stand under `name` whatever stood there. Raises PlatformError, saying what stands then.

    When `gapless`, what stands is never deleted: a change that is not to be had in place is an error.
    """
    refuse_untuned(name, model_id, slot)
    standing = await platform.account.get(name)
    before, wanted = previous or standing, _WantedDeployment(name, model_id, slot, tags)
    other = standing is not None and not same_model(model_id, standing.model_id)
    if (
        standing is not None
        and other
        and gapless
        and not changes_in_place(standing, model_id, slot)
    ):
        raise not_in_place(standing, model_id)
    began = time.monotonic()
    try:
        deployment, gone_at = await _stand(platform, deployer, wanted, standing, gapless=gapless)
        connection = await platform.wait_ready(deployment)
    except GatewrightError as error:
        raise await _put_back(platform, deployer, wanted, before, error) from error
    if standing is None and previous is not None:
        gone_at = began
    return Replacement(
        deployment=deployment,
        connection=connection,
        previous=before,
        downtime_s=0.0 if gone_at is None else time.monotonic() - gone_at,
    )


async def _stand(
    platform: _AzurePlatform,
    deployer: Deployer,
    wanted: _WantedDeployment,
    standing: Deployment | None,
    *,
    gapless: bool = False,
) -> tuple[Deployment, float | None]:
    """Make the wanted model stand; also return the moment at which another was deleted for it, None when none was."""
    name, model_id, slot, tags = wanted.name, wanted.model_id, wanted.slot, wanted.tags
    if standing is None or same_model(model_id, standing.model_id):
        return await deployer.deploy(name, model_id, slot, tags), None
    if changes_in_place(standing, model_id, slot):
        try:
            return await deployer.deploy(name, model_id, slot, tags, whosever=True), None
        except PlatformError as error:
            if gapless or error.code not in REFUSED_CHANGES:
                raise
    gone_at = time.monotonic()
    async with platform.account.writing:
        await deployer.remove(name)
    return await deployer.deploy(name, model_id, slot, tags), gone_at


async def _put_back(
    platform: _AzurePlatform,
    deployer: Deployer,
    wanted: _WantedDeployment,
    before: Deployment | None,
    error: GatewrightError,
) -> GatewrightError:
    """Restore what stood before and return the error to raise."""
    name, model_id = wanted.name, wanted.model_id
    if before is None or same_model(model_id, before.model_id):
        return error
    slot = SlotSpec(slot=before.slot, sku=before.sku, capacity=before.capacity)
    tags = {key: value for key, value in before.tags.items() if key != OWN_TAG}
    try:
        standing = await platform.account.get(name)
        stayed = standing is not None and same_model(before.model_id, standing.model_id)
        again = _WantedDeployment(name, before.model_id, slot, tags)
        await platform.wait_ready((await _stand(platform, deployer, again, standing))[0])
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
        hint=f"{before.model_id} {'answers there as before' if stayed else 'was put back and answers again'}",
    )
