"""Response bodies of the control plane: deployments, operations, accounts, models, deployment types, capacities."""

from __future__ import annotations

from typing import Any

import msgspec

from flows.emulator.control_plane.catalogue import BASE_MODELS, PROVISIONED, BaseModel, usage_row
from flows.emulator.control_plane.deployable import offered_skus, tuned_model
from flows.emulator.control_plane.lifecycle import is_fine_tuned, provisioning_state
from flows.emulator.control_plane.quota import available_capacity
from flows.emulator.control_plane.retirement import (
    base_has_ended,
    fine_tunes_have_ended,
    last_days,
)
from flows.emulator.gateway.accounts import Account
from flows.emulator.state.clock import iso
from flows.emulator.state.documents import Checkpoint, Deployment, Operation, TunedModel
from flows.emulator.state.emulator_state import EmulatorState

__all__ = [
    "account_models",
    "deployment_id",
    "deployment_skus",
    "model_capacities",
    "shown_account",
    "shown_deployment",
    "shown_operation",
]


def deployment_id(account: Account, name: str) -> str:
    """Return the ARM id of a deployment."""
    return f"{account.resource_id}/deployments/{name}"


def shown_deployment(
    state: EmulatorState, account: Account, deployment: Deployment
) -> dict[str, Any]:
    """Return a deployment with its state of this moment."""
    properties = {
        **deployment.properties,
        "model": {**msgspec.to_builtins(deployment.model), "name": _shown_name(state, deployment)},
        "currentCapacity": deployment.capacity,
        "capabilities": {"chatCompletion": "true", "responses": "true", "maxOutputToken": "32768"},
        "provisioningState": provisioning_state(state, deployment),
        "rateLimits": _rate_limits(state, deployment),
    }
    properties.setdefault("versionUpgradeOption", "OnceCurrentVersionExpired")
    properties.setdefault("raiPolicyName", "Microsoft.DefaultV2")
    if deployment.paused:
        properties["deploymentState"] = "Paused"
    return {
        "id": deployment_id(account, deployment.name),
        "name": deployment.name,
        "type": "Microsoft.CognitiveServices/accounts/deployments",
        "etag": deployment.etag,
        "sku": {"name": deployment.sku, "capacity": deployment.capacity},
        "tags": deployment.tags,
        "systemData": {
            "createdBy": deployment.created_by,
            "createdByType": "Application",
            "createdAt": iso(deployment.created_at),
            "lastModifiedBy": deployment.modified_by,
            "lastModifiedByType": "Application",
            "lastModifiedAt": iso(deployment.modified_at),
        },
        "properties": properties,
    }


def _shown_name(state: EmulatorState, deployment: Deployment) -> str:
    """The model's name as the switches have it shown."""
    name, echo = deployment.model.name, state.switches.checkpoint_echo
    checkpoint = state.store.get(Checkpoint, name) if echo != "id" else None
    if checkpoint is not None:
        name = checkpoint.model if echo == "model" else checkpoint.model.partition(":ckpt-")[0]
    return name.lower() if state.switches.echo_letters == "lower" else name


def requests_per_minute(state: EmulatorState, deployment: Deployment) -> int:
    """Return the request limit of a deployment: capacity times the switch, six times that for base models."""
    factor = 1.0 if is_fine_tuned(deployment.model) else 6.0
    return max(1, round(deployment.capacity * state.switches.requests_per_unit * factor))


def _rate_limits(state: EmulatorState, deployment: Deployment) -> list[dict[str, Any]]:
    tokens = round(deployment.capacity * state.switches.tokens_per_unit)
    return [
        {"key": "request", "renewalPeriod": 60, "count": requests_per_minute(state, deployment)},
        {"key": "token", "renewalPeriod": 60, "count": tokens},
    ]


def shown_operation(state: EmulatorState, operation: Operation) -> dict[str, Any]:
    """Return the body that Azure-AsyncOperation is polled for."""
    running = state.clock.now() < operation.settles_at
    shown: dict[str, Any] = {
        "id": operation.id,
        "name": operation.id,
        "status": "Running" if running else operation.outcome,
        "startTime": iso(operation.started_at),
    }
    if not running:
        shown["endTime"] = iso(operation.settles_at)
        if operation.outcome != "Succeeded":
            shown["error"] = operation.error
    return shown


def shown_account(account: Account, base_url: str) -> dict[str, Any]:
    """Return an account; `properties.endpoint` is where its data plane answers here."""
    spec = account.spec
    inner = "" if spec.name == "embedded" else f"accounts/{spec.name}/"
    return {
        "id": account.resource_id,
        "name": spec.name,
        "type": "Microsoft.CognitiveServices/accounts",
        "kind": "OpenAI",
        "location": spec.location,
        "sku": {"name": "S0"},
        "properties": {"provisioningState": "Succeeded", "endpoint": f"{base_url}{inner}"},
    }


def account_models(state: EmulatorState, account: Account) -> list[dict[str, Any]]:
    """Return the models that can be deployed in an account: base models and its own fine-tuned ones."""
    location = account.spec.location
    shown = [_model(state, base, location) for base in BASE_MODELS]
    for tuned in state.store.all(TunedModel) if state.switches.list_fine_tunes else ():
        if tuned.account == account.key and tuned.flavour == "azure" and tuned.step is None:
            base = next(one for one in BASE_MODELS if one.full_name == tuned.base)
            shown.append(_model(state, base, location, tuned.id))
    return shown


def _model(
    state: EmulatorState, base: BaseModel, location: str, tuned: str | None = None
) -> dict[str, Any]:
    days, own = (
        last_days(state, base),
        tuned is not None and state.switches.fine_tune_dates == "own",
    )
    ends = days.fine_tunes if own else days.base
    shown: dict[str, Any] = {
        "format": base.format,
        "name": tuned or base.name,
        "version": "1" if tuned else base.version,
        "isDefaultVersion": True,
        "lifecycleStatus": _lifecycle(state, base, own=own),
        "maxCapacity": 5000,
        "capabilities": {"chatCompletion": "true"},
        "deprecation": {"inference": _midnight(ends), "deprecationStatus": "Planned"},
        "skus": [
            _sku(base, name, _midnight(ends), fine_tuned=tuned is not None)
            for name in offered_skus(state, base, location, fine_tuned=tuned is not None)
        ],
    }
    if location in base.standard_regions and days.training is not None:
        shown["capabilities"]["fineTune"] = "true"
        shown["deprecation"]["fineTune"] = _midnight(days.training)
    if tuned:
        shown["baseModel"] = {"format": base.format, "name": base.name, "version": base.version}
    return shown


def _lifecycle(state: EmulatorState, base: BaseModel, *, own: bool) -> str:
    if own:
        return "Deprecated" if fine_tunes_have_ended(state, base) else "GenerallyAvailable"
    if base_has_ended(state, base):
        return "Deprecated"
    return "Deprecating" if base.name in state.switches.deprecating_models else "GenerallyAvailable"


def _midnight(day: str | None) -> str | None:
    return f"{day}T00:00:00Z" if day else None


def _sku(base: BaseModel, name: str, ends: str | None, *, fine_tuned: bool) -> dict[str, Any]:
    return {
        "name": name,
        "usageName": usage_row(base, name, fine_tuned=fine_tuned),
        "deprecationDate": ends,
        "capacity": {"minimum": 1, "maximum": 5000, "step": 1, "default": 10},
        "rateLimits": [
            {"key": "request", "renewalPeriod": 60, "count": 1},
            {"key": "token", "renewalPeriod": 60, "count": 1000},
        ],
    }


def deployment_skus(
    state: EmulatorState, account: Account, deployment: Deployment
) -> list[dict[str, Any]]:
    """Return the deployment types that a deployment's model has in its region."""
    base = _base_of(state, deployment.model.name)
    names = (
        offered_skus(state, base, account.spec.location, fine_tuned=is_fine_tuned(deployment.model))
        if base
        else ()
    )
    return [
        {
            "resourceType": "Microsoft.CognitiveServices/accounts/deployments",
            "sku": {"name": name},
            "capacity": {
                "minimum": 1,
                "maximum": 5000,
                "step": 50 if name in PROVISIONED else 1,
                "default": 1,
            },
        }
        for name in names
    ]


def model_capacities(
    state: EmulatorState, account: Account, name: str, version: str | None
) -> list[dict[str, Any]]:
    """Return the available capacity of a model for each deployment type, base and fine-tuned."""
    base = _base_of(state, name)
    if base is None or version not in (None, base.version, "1"):
        return []
    location = account.spec.location
    return [
        {
            "id": f"/subscriptions/{account.spec.subscription}/providers/Microsoft.CognitiveServices/locations/{location}"
            f"/models/{base.format}.{base.name}.{base.version}",
            "name": sku,
            "type": "Microsoft.CognitiveServices/locations/modelCapacities",
            "location": location,
            "properties": {
                "model": {"format": base.format, "name": base.name, "version": base.version},
                "skuName": sku,
                "availableCapacity": available_capacity(
                    state, account, base, sku, fine_tuned=False
                ),
                "availableFinetuneCapacity": available_capacity(
                    state, account, base, sku, fine_tuned=True
                ),
            },
        }
        for sku in dict.fromkeys(
            offered_skus(state, base, location, fine_tuned=True)
            + offered_skus(state, base, location, fine_tuned=False)
        )
    ]


def _base_of(state: EmulatorState, name: str) -> BaseModel | None:
    tuned = tuned_model(state, name)
    full = tuned.base if tuned else name
    return next((one for one in BASE_MODELS if full in (one.name, one.full_name)), None)
