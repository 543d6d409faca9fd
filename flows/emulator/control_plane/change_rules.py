"""What may not be done to a deployment that stands: the refusals that cost people days."""

from __future__ import annotations

from typing import Literal

from flows.emulator.control_plane.catalogue import PROVISIONED
from flows.emulator.control_plane.lifecycle import at_rest, is_fine_tuned, tidy
from flows.emulator.gateway.accounts import Account
from flows.emulator.gateway.errors import Refusal, arm_refusal
from flows.emulator.state.documents import Deployment, ModelRef
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["check_change", "check_sku_change", "one_at_a_time"]


def one_at_a_time(world: EmulatorState, account: Account) -> None:
    """Raise 409 RequestConflict while another write of the account is under way."""
    if not world.switches.serialise_writes:
        return
    tidy(world)
    busy = (one for one in world.store.all(Deployment) if one.account == account.key)
    if all(at_rest(world, one) for one in busy):
        return
    wait = world.switches.conflict_retry_after_s
    raise arm_refusal(
        409,
        "RequestConflict",
        f"Another operation is being performed on the parent resource '{account.resource_id}'. Please try again later.",
        headers={} if wait is None else {"Retry-After": str(wait)},
    )


def check_sku_change(world: EmulatorState, old: Deployment, sku: str) -> None:
    """Raise 400 when the deployment type would change."""
    if old.sku != sku and world.switches.sku_change == "refuse":
        raise arm_refusal(
            400,
            "SkuChangeNotSupported",
            f"The SKU of the deployment '{old.name}' can't be changed from '{old.sku}' to '{sku}'.",
        )


def check_change(
    world: EmulatorState, old: Deployment, model: ModelRef, sku: str, capacity: int
) -> None:
    """Raise 400 when a PUT over a standing deployment asks for what the service refuses."""
    check_sku_change(world, old, sku)
    if old.model.name != model.name or _version(old.model) != (
        _version(model) or _version(old.model)
    ):
        _check_retarget(world, old, model, capacity)
        return
    identical = old.sku == sku and old.capacity == capacity
    if identical and is_fine_tuned(old.model) and world.switches.identical_put == "refuse":
        raise _retarget_refusal("refuse")


def _version(model: ModelRef) -> str | None:
    return model.version or ("1" if is_fine_tuned(model) else None)


def _check_retarget(world: EmulatorState, old: Deployment, model: ModelRef, capacity: int) -> None:
    allowed = world.switches.retarget_finetuned
    if is_fine_tuned(old.model):
        if allowed != "allow":
            raise _retarget_refusal(allowed)
        return
    if is_fine_tuned(model) or (old.model.name != model.name and old.sku not in PROVISIONED):
        raise _retarget_refusal("legacy")
    if old.capacity != capacity:
        raise arm_refusal(
            400,
            "CannotChangeCapacityAndModel",
            "Cannot change capacity and model at the same time for deployment.",
        )


def _retarget_refusal(style: Literal["refuse", "legacy"]) -> Refusal:
    if style == "legacy":
        return arm_refusal(
            400, "CannotChangeDeploymentModel", "The model of deployment cannot be changed."
        )
    return arm_refusal(
        400,
        "ModelUpgradeNotSupported",
        "Model updates are not supported for finetuned model deployments.",
    )
