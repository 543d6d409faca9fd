"""The control plane's documents that we send and read, typed. What is sent is exact; what is read may hold more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from evals.errors import ConfigurationError, Problem, nearest
from evals.records import Slot
from flows.platforms.azure.resolved import checkpoint_tags, id_shown_as
from flows.platforms.base import Deployment, SlotSpec
from flows.platforms.model_names import base_parts, is_fine_tuned

__all__ = [
    "OWN_TAG",
    "PROVISIONED",
    "SKUS",
    "ArmDeployment",
    "ModelSource",
    "canonical_sku",
    "is_ours",
    "put_body",
    "sku_of",
    "to_deployment",
]

OWN_TAG = "gatewright"
"""The tag by which our own deployments are known; its value is the slot."""

SKUS = (
    "Standard",
    "GlobalStandard",
    "DataZoneStandard",
    "DeveloperTier",
    "ProvisionedManaged",
    "GlobalProvisionedManaged",
    "DataZoneProvisionedManaged",
)
PROVISIONED = frozenset(sku for sku in SKUS if "Provisioned" in sku)

_BY_LOWER = {sku.lower(): sku for sku in SKUS}
_DEFAULTS: Mapping[Slot, str] = {"developer": "DeveloperTier", "production": "Standard"}
_State = Literal["creating", "ready", "failed", "deleting", "paused", "unknown"]
_STATES: Mapping[str, _State] = {
    "accepted": "creating",
    "creating": "creating",
    "updating": "creating",
    "moving": "creating",
    "succeeded": "ready",
    "failed": "failed",
    "canceled": "failed",
    "cancelled": "failed",
    "disabled": "paused",
    "deleting": "deleting",
}


class _Read(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is read: keys we don't know are let through, keys that are missing are None."""


class _Sku(_Read, frozen=True, kw_only=True):
    name: str = "Standard"
    capacity: int | None = None


class _Model(_Read, frozen=True, kw_only=True):
    name: str = ""
    version: str | int | float | None = None
    format: str | None = None


class _Properties(_Read, frozen=True, kw_only=True):
    model: _Model | None = None
    provisioning_state: str | None = None
    deployment_state: str | None = None
    current_capacity: int | None = None


class _SystemData(_Read, frozen=True, kw_only=True):
    created_at: str | None = None


class ArmDeployment(_Read, frozen=True, kw_only=True):
    """A deployment as the control plane writes it."""

    name: str
    sku: _Sku | None = None
    tags: dict[str, str | None] | None = None
    properties: _Properties | None = None
    system_data: _SystemData | None = None


class ModelSource(msgspec.Struct, frozen=True, kw_only=True):
    """The account that holds the model, when it is another one. `tenant` is set when that account is of another tenant."""

    account_id: str
    tenant: str | None = None


def canonical_sku(name: str, *, where: str = "slots") -> str:
    """Return the SKU as the service spells it. Raises ConfigurationError with the nearest name."""
    found = _BY_LOWER.get(name.lower())
    if found is None:
        raise ConfigurationError(
            Problem(
                where=where,
                field="sku",
                message=f"expected a deployment type; found {name!r}",
                fix=nearest(name, SKUS),
            )
        )
    return found


def sku_of(slot: SlotSpec) -> str:
    """Return the SKU a slot asks for: DeveloperTier for developer and Standard for production when it names none."""
    return canonical_sku(slot.sku) if slot.sku else _DEFAULTS[slot.slot]


def put_body(
    model_id: str,
    slot: SlotSpec,
    tags: Mapping[str, str],
    *,
    source: ModelSource | None = None,
    content_policy: str | None = None,
    model_format: str = "OpenAI",
) -> dict[str, Any]:
    """Build the body that creates a deployment. `sku` sits at the root: below properties the service ignores it."""
    model: dict[str, Any] = {"format": model_format, **_name_and_version(model_id)}
    if source is not None and is_fine_tuned(model_id):
        model["sourceAccount" if source.tenant else "source"] = source.account_id
    properties: dict[str, Any] = {"model": model, "versionUpgradeOption": "NoAutoUpgrade"}
    if content_policy:
        properties["raiPolicyName"] = content_policy
    return {
        "sku": {"name": sku_of(slot), "capacity": slot.capacity},
        "tags": {**checkpoint_tags(model_id, tags), OWN_TAG: slot.slot},
        "properties": properties,
    }


def to_deployment(found: ArmDeployment) -> Deployment:
    """Translate into the record that other rooms know."""
    properties = found.properties or _Properties()
    tags = {name: value or "" for name, value in (found.tags or {}).items()}
    sku = found.sku or _Sku()
    shown = _model_id(properties.model)
    model_id = id_shown_as(shown, tags) if OWN_TAG in tags else shown
    return Deployment(
        name=found.name,
        model_id=model_id,
        state=_state(properties),
        slot=_slot(tags, sku.name),
        sku=_BY_LOWER.get(sku.name.lower(), sku.name),
        capacity=sku.capacity or properties.current_capacity or 0,
        tags=tags,
        created_at=found.system_data.created_at if found.system_data else None,
        shown_as="" if model_id == shown else shown,
    )


def is_ours(deployment: Deployment) -> bool:
    """True for what Gatewright created."""
    return OWN_TAG in deployment.tags


def _name_and_version(model_id: str) -> dict[str, str]:
    if is_fine_tuned(model_id):
        return {"name": model_id, "version": "1"}
    name, version = base_parts(model_id)
    return {"name": name} | ({"version": version} if version else {})


def _model_id(model: _Model | None) -> str:
    if model is None:
        return ""
    version = "" if model.version is None else str(model.version)
    if is_fine_tuned(model.name) or not version or model.name.endswith(version):
        return model.name
    return f"{model.name}-{version}"


def _state(properties: _Properties) -> _State:
    if (properties.deployment_state or "").lower() == "paused":
        return "paused"
    if not properties.provisioning_state:
        return "ready"  # what has no state is not in the making any more
    return _STATES.get(properties.provisioning_state.lower(), "unknown")


def _slot(tags: Mapping[str, str], sku: str) -> Slot:
    slot_tag = tags.get(OWN_TAG)
    if slot_tag in {"developer", "production"}:
        return "developer" if slot_tag == "developer" else "production"
    return "developer" if sku.lower() == "developertier" else "production"
