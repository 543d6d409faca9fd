"""Reading the bodies of control-plane writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from evals.codec import convert
from flows.emulator.gateway.errors import ServiceError, arm_error
from flows.emulator.state.documents import ModelRef
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["DeploymentBody", "invalid_content", "read_deployment_body", "read_sku", "read_tags"]

_KEPT_PROPERTIES = [
    "versionUpgradeOption",
    "raiPolicyName",
    "spilloverDeploymentName",
    "parentDeploymentName",
    "serviceTier",
    "capacitySettings",
    "scaleSettings",
    "modelProviderData",
    "routing",
    "contextCacheContainerId",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentBody:
    """The body of a PUT."""

    model: ModelRef
    sku: str
    capacity: int
    properties: dict[str, Any]
    tags: dict[str, str]


def read_deployment_body(state: EmulatorState, body: Mapping[str, Any]) -> DeploymentBody:
    """Read a PUT body. A sku inside `properties` is ignored, which makes it Standard. Raises 400."""
    properties = body.get("properties")
    if not isinstance(properties, dict) or not isinstance(properties.get("model"), dict):
        raise invalid_content("The request content was invalid: 'properties.model' is required.")
    try:
        model = convert(properties["model"], ModelRef)
    except msgspec.ValidationError as error:
        raise invalid_content(
            f"The request content was invalid: properties.model: {error}"
        ) from None
    sku, capacity = read_sku(state, body.get("sku"))
    return DeploymentBody(
        model=model,
        sku=sku,
        capacity=capacity,
        properties={name: properties[name] for name in _KEPT_PROPERTIES if name in properties},
        tags=read_tags(body.get("tags")),
    )


def read_sku(state: EmulatorState, sku: Any) -> tuple[str, int]:
    """Read name and capacity; without a sku at the root it is Standard. Raises 400."""
    if sku is None:
        return "Standard", state.switches.default_capacity
    if not isinstance(sku, dict) or not isinstance(sku.get("name"), str):
        raise invalid_content("The request content was invalid: 'sku.name' is required.")
    capacity = sku.get("capacity", state.switches.default_capacity)
    if not isinstance(capacity, int) or isinstance(capacity, bool) or capacity < 1:
        raise invalid_content(f"The capacity should be a positive integer; got {capacity!r}.")
    return sku["name"], capacity


def read_tags(tags: Any) -> dict[str, str]:
    """Read the tags. Raises 400."""
    if tags is None:
        return {}
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise invalid_content("The request content was invalid: 'tags' is a map of strings.")
    return dict(tags)


def invalid_content(message: str) -> ServiceError:
    """Build the 400 for a body that the control plane does not take."""
    return arm_error(400, "InvalidRequestContent", message)
