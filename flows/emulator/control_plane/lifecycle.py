"""The state of a deployment at a moment. It follows from the document and the clock, so no background work is needed.

`remove_expired` is called before deployments are read: it replaces deleted, expired and idle ones by tombstones.
"""

from __future__ import annotations

import secrets

from flows.emulator.control_plane.catalogue import PROVISIONED
from flows.emulator.state.documents import Deployment, ModelRef, Tombstone, TunedModel
from flows.emulator.state.emulator_state import EmulatorState

__all__ = [
    "answers_paused",
    "deployment_key",
    "expires_at",
    "find_deployment",
    "is_fine_tuned",
    "is_settled",
    "provisioning_state",
    "remove_expired",
    "served_model",
    "shown_paused",
]


def deployment_key(account: str, name: str) -> str:
    """Return the id of a deployment's document; names compare without case."""
    return f"{account}/{name.casefold()}"


def is_fine_tuned(model: ModelRef) -> bool:
    """Say whether a deployment's model is fine-tuned, by its name."""
    return ".ft-" in model.name or model.name.startswith(("ft:", "ftchkpt-"))


def provisioning_state(state: EmulatorState, deployment: Deployment) -> str:
    """Return the provisioning state now."""
    if state.clock.now() >= deployment.settles_at:
        return deployment.outcome if deployment.phase != "deleting" else "Deleting"
    return {
        "creating": state.switches.first_state,
        "updating": "Updating",
        "deleting": "Deleting",
    }[deployment.phase]


def shown_paused(state: EmulatorState, deployment: Deployment) -> bool:
    """Say whether the control plane shows a deployment as paused, which it may go on doing after a resume."""
    lag = state.switches.resume_shown_lag_s
    return deployment.paused or state.clock.now() < deployment.resumed_at + lag


def answers_paused(state: EmulatorState, deployment: Deployment) -> bool:
    """Say whether the data plane answers that a deployment is paused."""
    lag = state.switches.resume_lag_s
    return deployment.paused or state.clock.now() < deployment.resumed_at + lag


def is_settled(state: EmulatorState, deployment: Deployment) -> bool:
    """Say whether no operation is under way."""
    return state.clock.now() >= deployment.settles_at


def expires_at(state: EmulatorState, deployment: Deployment) -> float | None:
    """Return when the service removes a deployment of its own accord, None for never."""
    switches = state.switches
    if deployment.sku == "DeveloperTier":
        return (
            deployment.created_at
            + switches.developer_hours * 3600
            + switches.developer_removal_lag_s
        )
    if is_fine_tuned(deployment.model) and deployment.sku not in PROVISIONED:
        return max(deployment.created_at, deployment.last_used_at) + switches.idle_days * 86400
    return None


def find_deployment(state: EmulatorState, account: str, name: str) -> Deployment | None:
    """Return a deployment that still is there, even if it is being deleted."""
    remove_expired(state)
    return state.store.get(Deployment, deployment_key(account, name))


def remove_expired(state: EmulatorState) -> None:
    """Remove deployments that were deleted, have expired or are idle, and tombstones without effect."""
    now = state.clock.now()
    for deployment in state.store.all(Deployment):
        end = expires_at(state, deployment)
        if deployment.phase == "deleting" and now >= deployment.settles_at:
            _remove(state, deployment, deployment.settles_at, "deleted")
        elif end is not None and now >= end and deployment.phase != "deleting":
            _remove(
                state, deployment, end, "expired" if deployment.sku == "DeveloperTier" else "idle"
            )
    for tombstone in state.store.all(Tombstone):
        if (
            now
            > tombstone.gone_at
            + 3600
            + state.switches.quota_release_s
            + state.switches.stale_serving_s
        ):
            state.store.delete(Tombstone, tombstone.id)


def _remove(state: EmulatorState, deployment: Deployment, gone_at: float, reason: str) -> None:
    state.store.put(
        Tombstone(
            id=secrets.token_hex(8),
            account=deployment.account,
            name=deployment.name,
            model=deployment.model,
            sku=deployment.sku,
            capacity=deployment.capacity,
            gone_at=gone_at,
            reason=reason,
        )
    )
    state.store.delete(Deployment, deployment.id)


def served_model(state: EmulatorState, deployment: Deployment) -> ModelRef | None:
    """Return the model that the data plane serves under a deployment's name right now, None when none does."""
    now = state.clock.now()
    if deployment.stale is not None and now < deployment.stale_until:
        return deployment.stale
    if deployment.phase == "deleting":
        return deployment.model
    if deployment.phase == "updating":
        fresh = now >= deployment.serves_at and deployment.outcome == "Succeeded"
        return deployment.model if fresh else deployment.previous
    ready = now >= deployment.serves_at and deployment.outcome == "Succeeded"
    return deployment.model if ready else None


def latest_tombstone(state: EmulatorState, account: str, name: str) -> Tombstone | None:
    """Return the youngest tombstone of a name, None when there is none."""
    tombstones = [
        one
        for one in state.store.all(Tombstone)
        if one.account == account and one.name.casefold() == name.casefold()
    ]
    return max(tombstones, key=lambda one: one.gone_at, default=None)


def deployed_anywhere(state: EmulatorState, model: TunedModel) -> bool:
    """Say whether a model is deployed, which forbids deleting it."""
    remove_expired(state)
    return any(one.model.name == model.id for one in state.store.all(Deployment))
