"""Which changes of an existing deployment the control plane refuses."""

from __future__ import annotations

from typing import Literal

from flows.emulator.control_plane.catalogue import PROVISIONED
from flows.emulator.control_plane.lifecycle import is_fine_tuned, is_settled, remove_expired
from flows.emulator.gateway.accounts import Account
from flows.emulator.gateway.errors import ServiceError, arm_error
from flows.emulator.state.documents import Deployment, ModelRef
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["check_change", "check_no_write_in_progress", "check_sku_change"]


def check_no_write_in_progress(state: EmulatorState, account: Account) -> None:
    """Raise 409 RequestConflict while another write of the account is under way."""
    if not state.switches.serialise_writes:
        return
    remove_expired(state)
    busy = (one for one in state.store.all(Deployment) if one.account == account.key)
    if all(is_settled(state, one) for one in busy):
        return
    wait = state.switches.conflict_retry_after_s
    raise arm_error(
        409,
        "RequestConflict",
        f"Another operation is being performed on the parent resource '{account.resource_id}'. Please try again later.",
        headers={} if wait is None else {"Retry-After": str(wait)},
    )


def check_sku_change(state: EmulatorState, old: Deployment, sku: str) -> None:
    """Raise 400 when the deployment type would change."""
    if old.sku != sku and state.switches.sku_change == "refuse":
        raise arm_error(
            400,
            "SkuChangeNotSupported",
            f"The SKU of the deployment '{old.name}' can't be changed from '{old.sku}' to '{sku}'.",
        )


def check_change(
    state: EmulatorState, old: Deployment, model: ModelRef, sku: str, capacity: int
) -> None:
    """Raise 400 when a PUT over an existing deployment asks for what the service refuses."""
    check_sku_change(state, old, sku)
    if old.model.name != model.name or _version(old.model) != (
        _version(model) or _version(old.model)
    ):
        _check_retarget(state, old, model, capacity)
        return
    identical = old.sku == sku and old.capacity == capacity
    if identical and is_fine_tuned(old.model) and state.switches.identical_put == "refuse":
        raise _retarget_error("refuse")


def _version(model: ModelRef) -> str | None:
    return model.version or ("1" if is_fine_tuned(model) else None)


def _check_retarget(state: EmulatorState, old: Deployment, model: ModelRef, capacity: int) -> None:
    allowed = state.switches.retarget_finetuned
    if is_fine_tuned(old.model):
        if allowed != "allow":
            raise _retarget_error(allowed)
        return
    if is_fine_tuned(model) or (old.model.name != model.name and old.sku not in PROVISIONED):
        raise _retarget_error("legacy")
    if old.capacity != capacity:
        raise arm_error(
            400,
            "CannotChangeCapacityAndModel",
            "Cannot change capacity and model at the same time for deployment.",
        )


def _retarget_error(style: Literal["refuse", "legacy"]) -> ServiceError:
    if style == "legacy":
        return arm_error(
            400, "CannotChangeDeploymentModel", "The model of deployment cannot be changed."
        )
    return arm_error(
        400,
        "ModelUpgradeNotSupported",
        "Model updates are not supported for finetuned model deployments.",
    )
