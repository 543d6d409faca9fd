"""Which deployments can be given another model where they stand, without ever going silent.

A new version of the same base model, and any model on a provisioned deployment: the service then shows Updating for up to
half an hour while the old model answers. Whether that holds for fine-tunes on provisioned deployments is not told by any
document, so that a refusal has to be expected.
"""

from __future__ import annotations

from evals.errors import PlatformError
from flows.platforms.azure.arm.documents import PROVISIONED, sku_of
from flows.platforms.base import Deployment, SlotSpec
from flows.platforms.model_names import base_parts, is_fine_tuned, same_model

__all__ = ["REFUSED_CHANGES", "changes_in_place", "not_in_place", "not_repointable"]

REFUSED_CHANGES = frozenset({"ModelUpgradeNotSupported", "CannotChangeDeploymentModel"})
"""What the service answers when a deployment keeps its model."""

_NOT_ANSWERING = frozenset({"paused", "failed", "deleting"})
_HINT = "deploy under another name (strategy blue_green), or delete it first (strategy replace)"


def changes_in_place(standing: Deployment, model_id: str, slot: SlotSpec) -> bool:
    """True where the service may put `model_id` into a standing deployment; it has to stay of the same type."""
    if standing.state in _NOT_ANSWERING or standing.sku.lower() != sku_of(slot).lower():
        return False
    if same_model(model_id, standing.model_id):
        return False
    if sku_of(slot) in PROVISIONED:
        return True
    both_base = not is_fine_tuned(model_id) and not is_fine_tuned(standing.model_id)
    return both_base and base_parts(model_id)[0] == base_parts(standing.model_id)[0]


def not_repointable(standing: Deployment, model_id: str) -> PlatformError:
    """Build the error for a deployment of another model that has to keep it."""
    return PlatformError(
        f"deployment {standing.name} holds {standing.model_id} and can't be given {model_id}",
        code="ModelUpgradeNotSupported",
        hint=_HINT,
        lasting=True,
    )


def not_in_place(standing: Deployment, model_id: str) -> PlatformError:
    """Build the error for a change that would need a gap where none is allowed."""
    return PlatformError(
        f"{standing.model_id} in {standing.name} ({standing.sku}, {standing.state}) can't be changed to {model_id} in place",
        code="NotInPlace",
        hint="only a new version of the same base model can, and provisioned deployments: use strategy blue_green or"
        " replace",
        lasting=True,
    )
