"""Writing deployments: create, replace, patch, delete, pause and resume, with the control plane's checks."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from flows.emulator.control_plane.bodies import DeploymentBody, invalid_content, read_sku, read_tags
from flows.emulator.control_plane.catalogue import canonical_sku
from flows.emulator.control_plane.change_rules import (
    check_change,
    check_no_write_in_progress,
    check_sku_change,
)
from flows.emulator.control_plane.deployable import check_sku, resolve_model
from flows.emulator.control_plane.lifecycle import (
    deployment_key,
    find_deployment,
    latest_tombstone,
    served_model,
)
from flows.emulator.control_plane.quota import check_quota
from flows.emulator.control_plane.views import deployment_id
from flows.emulator.gateway.accounts import Account
from flows.emulator.gateway.errors import arm_error
from flows.emulator.state.documents import Deployment, MintedToken, Operation
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["DeploymentWriter"]

_PAUSABLE = ("Standard", "DataZoneStandard", "GlobalStandard")


class DeploymentWriter:
    """Creates, changes and deletes deployments. Every method raises a ServiceError where the service refuses."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state

    def put(
        self,
        account: Account,
        name: str,
        body: DeploymentBody,
        *,
        caller: MintedToken,
        headers: Mapping[str, str],
    ) -> tuple[Deployment, int, Operation | None]:
        """Create or change a deployment; return it with the HTTP status and the operation, if one runs."""
        existing = find_deployment(self.state, account.key, name)
        check_no_write_in_progress(self.state, account)
        found = resolve_model(self.state, account, body.model, caller=caller, headers=headers)
        sku = canonical_sku(body.sku) or body.sku
        if existing is not None and existing.outcome == "Succeeded":
            check_change(self.state, existing, body.model, sku, body.capacity)
        check_sku(self.state, account.spec.location, body.model, found, sku)
        key = deployment_key(account.key, name)
        check_quota(self.state, account, found, sku, body.capacity, key=key)
        if existing is None or existing.outcome != "Succeeded":
            made, operation = self._create(account, name, body, sku, caller)
            return made, 201 if existing is None else 200, operation
        return self._change(account, existing, body, sku, caller)

    def patch(
        self, account: Account, deployment: Deployment, body: Mapping[str, Any], caller: MintedToken
    ) -> Operation:
        """Change tags and capacity."""
        check_no_write_in_progress(self.state, account)
        extra = sorted(set(body) - {"tags", "sku"})
        if extra:
            raise invalid_content(f"The request content was invalid: {extra} can't be patched.")
        sku, capacity = deployment.sku, deployment.capacity
        if "sku" in body:
            sku, capacity = self._patched_sku(account, deployment, body["sku"], caller)
        tags = read_tags(body["tags"]) if "tags" in body else deployment.tags
        merge = self.state.switches.patch_tags == "merge"
        deployment.tags = {**deployment.tags, **tags} if merge else tags
        deployment.sku, deployment.capacity = sku, capacity
        self._touch(deployment, caller)
        return self._operation("patch", account, deployment, self.state.clock.now())

    def delete(self, account: Account, deployment: Deployment) -> Operation:
        """Start deleting; asked again meanwhile it names the same operation."""
        if deployment.phase == "deleting":
            running = self.state.store.get(Operation, deployment.operation)
            if running is not None:
                return running
        check_no_write_in_progress(self.state, account)
        deployment.phase = "deleting"
        deployment.settles_at = self.state.clock.now() + self.state.switches.deleting_s
        operation = self._operation("delete", account, deployment, deployment.settles_at)
        deployment.operation = operation.id
        self.state.store.put(deployment)
        return operation

    def set_paused(self, deployment: Deployment, paused: bool, caller: MintedToken) -> None:
        """Pause or resume; asking twice is no error."""
        if deployment.sku not in _PAUSABLE:
            raise arm_error(
                400,
                self.state.switches.pause_refusal_code,
                f"Pause and resume are not supported for deployments of the SKU '{deployment.sku}'.",
            )
        if deployment.paused != paused:
            deployment.paused = paused
            if not paused:
                deployment.resumed_at = self.state.clock.now()
            self._touch(deployment, caller)

    def _patched_sku(
        self, account: Account, deployment: Deployment, sku: Any, caller: MintedToken
    ) -> tuple[str, int]:
        name, capacity = read_sku(
            self.state, {"name": deployment.sku, "capacity": deployment.capacity, **sku}
        )
        name = canonical_sku(name) or name
        check_sku_change(self.state, deployment, name)
        found = resolve_model(self.state, account, deployment.model, caller=caller, headers={})
        check_quota(self.state, account, found, name, capacity, key=deployment.id)
        return name, capacity

    def _create(
        self, account: Account, name: str, body: DeploymentBody, sku: str, caller: MintedToken
    ) -> tuple[Deployment, Operation]:
        state, now = self.state, self.state.clock.now()
        tombstone = latest_tombstone(state, account.key, name)
        stale = (
            tombstone is not None
            and now < tombstone.gone_at + 3600
            and state.switches.stale_serving_s > 0
        )
        settles = now + state.switches.provisioning_s
        deployment = Deployment(
            id=deployment_key(account.key, name), account=account.key, name=name, sku=sku,
            capacity=body.capacity, model=body.model, properties=body.properties, tags=body.tags,
            created_at=now, created_by=caller.name, modified_at=now, modified_by=caller.name,
            etag=_etag(), operation="", settles_at=settles, serves_at=settles + state.switches.dataplane_lag_s,
            outcome=self._outcome(name), stale=tombstone.model if tombstone and stale else None,
            stale_until=now + state.switches.stale_serving_s,
        )  # fmt: skip
        operation = self._operation("put", account, deployment, settles)
        deployment.operation = operation.id
        state.store.put(deployment)
        return deployment, operation

    def _change(
        self,
        account: Account,
        deployment: Deployment,
        body: DeploymentBody,
        sku: str,
        caller: MintedToken,
    ) -> tuple[Deployment, int, Operation | None]:
        operation = None
        if (deployment.model.name, deployment.model.version) != (
            body.model.name,
            body.model.version or deployment.model.version,
        ):
            now = self.state.clock.now()
            deployment.previous, deployment.model = served_model(self.state, deployment), body.model
            deployment.phase, deployment.settles_at = "updating", now + self.state.switches.update_s
            deployment.serves_at, deployment.stale = deployment.settles_at, None
            operation = self._operation("put", account, deployment, deployment.settles_at)
            deployment.operation = operation.id
        deployment.sku, deployment.capacity = sku, body.capacity
        deployment.properties, deployment.tags = (
            {**deployment.properties, **body.properties},
            body.tags,
        )
        self._touch(deployment, caller)
        return deployment, 200, operation

    def _outcome(self, name: str) -> Literal["Succeeded", "Failed", "Canceled"]:
        switches = self.state.switches
        return (
            switches.provisioning_outcome
            if switches.provisioning_outcome_match in name
            else "Succeeded"
        )

    def _operation(
        self,
        kind: Literal["put", "patch", "delete"],
        account: Account,
        deployment: Deployment,
        settles_at: float,
    ) -> Operation:
        failed = kind == "put" and deployment.outcome != "Succeeded"
        operation = Operation(
            id=str(uuid.uuid4()), kind=kind, deployment=deployment.id, resource_id=deployment_id(account, deployment.name),
            started_at=self.state.clock.now(), settles_at=settles_at, outcome=deployment.outcome if failed else "Succeeded",
            error={"code": "DeploymentFailed", "message": f"The deployment '{deployment.name}' could not be provisioned."}
            if failed else None,
        )  # fmt: skip
        self.state.store.put(operation)
        return operation

    def _touch(self, deployment: Deployment, caller: MintedToken) -> None:
        deployment.modified_at, deployment.modified_by, deployment.etag = (
            self.state.clock.now(),
            caller.name,
            _etag(),
        )
        self.state.store.put(deployment)


def _etag() -> str:
    return f'"{uuid.UUID(bytes=secrets.token_bytes(16))}"'
