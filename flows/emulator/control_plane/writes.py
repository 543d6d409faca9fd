"""Writing deployments: create, re-put, patch, delete, pause and resume, with the refusals of the control plane."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from flows.emulator.control_plane.bodies import DeploymentBody, invalid_content, read_sku, read_tags
from flows.emulator.control_plane.catalogue import canonical_sku
from flows.emulator.control_plane.change_rules import check_change, check_sku_change, one_at_a_time
from flows.emulator.control_plane.deployable import check_sku, resolve_model
from flows.emulator.control_plane.lifecycle import (
    deployment_key,
    find_deployment,
    recent_stone,
    served_model,
)
from flows.emulator.control_plane.quota import check_quota
from flows.emulator.control_plane.views import deployment_id
from flows.emulator.gateway.accounts import Account
from flows.emulator.gateway.errors import arm_refusal
from flows.emulator.state.documents import Deployment, MintedToken, Operation
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["Writer"]

_PAUSABLE = ("Standard", "DataZoneStandard", "GlobalStandard")


class Writer:
    """Changes deployments of a world; every method raises a Refusal when the service would."""

    def __init__(self, world: EmulatorState) -> None:
        self.world = world

    def put(
        self,
        account: Account,
        name: str,
        wish: DeploymentBody,
        *,
        caller: MintedToken,
        headers: Mapping[str, str],
    ) -> tuple[Deployment, int, Operation | None]:
        """Create or change a deployment; return it with the HTTP status and the operation, if one runs."""
        existing = find_deployment(self.world, account.key, name)
        one_at_a_time(self.world, account)
        found = resolve_model(self.world, account, wish.model, caller=caller, headers=headers)
        sku = canonical_sku(wish.sku) or wish.sku
        if existing is not None and existing.outcome == "Succeeded":
            check_change(self.world, existing, wish.model, sku, wish.capacity)
        check_sku(account.spec.location, wish.model, found, sku)
        key = deployment_key(account.key, name)
        check_quota(
            self.world,
            account,
            found.base,
            sku,
            wish.capacity,
            key=key,
            fine_tuned=found.tuned is not None,
        )
        if existing is None or existing.outcome != "Succeeded":
            made, operation = self._create(account, name, wish, sku, caller)
            return made, 201 if existing is None else 200, operation
        return self._change(account, existing, wish, sku, caller)

    def patch(
        self, account: Account, one: Deployment, body: Mapping[str, Any], caller: MintedToken
    ) -> Operation:
        """Change tags and capacity."""
        one_at_a_time(self.world, account)
        extra = sorted(set(body) - {"tags", "sku"})
        if extra:
            raise invalid_content(f"The request content was invalid: {extra} can't be patched.")
        sku, capacity = one.sku, one.capacity
        if "sku" in body:
            wished, capacity = read_sku(
                self.world, {"name": one.sku, "capacity": one.capacity, **body["sku"]}
            )
            sku = canonical_sku(wished) or wished
        check_sku_change(self.world, one, sku)
        found = (
            resolve_model(self.world, account, one.model, caller=caller, headers={})
            if "sku" in body
            else None
        )
        if found is not None:
            check_quota(
                self.world,
                account,
                found.base,
                sku,
                capacity,
                key=one.id,
                fine_tuned=found.tuned is not None,
            )
        tags = read_tags(body["tags"]) if "tags" in body else one.tags
        merge = self.world.switches.patch_tags == "merge"
        one.tags = {**one.tags, **tags} if merge else tags
        one.sku, one.capacity = sku, capacity
        self._touch(one, caller)
        return self._operation("patch", account, one, self.world.clock.now())

    def delete(self, account: Account, one: Deployment) -> Operation:
        """Start deleting; asked again meanwhile it names the same operation."""
        if one.phase == "deleting":
            running = self.world.store.get(Operation, one.operation)
            if running is not None:
                return running
        one_at_a_time(self.world, account)
        one.phase = "deleting"
        one.settles_at = self.world.clock.now() + self.world.switches.deleting_s
        operation = self._operation("delete", account, one, one.settles_at)
        one.operation = operation.id
        self.world.store.put(one)
        return operation

    def set_paused(self, one: Deployment, paused: bool, caller: MintedToken) -> None:
        """Pause or resume; asking twice is no error."""
        if one.sku not in _PAUSABLE:
            raise arm_refusal(
                400,
                self.world.switches.pause_refusal_code,
                f"Pause and resume are not supported for deployments of the SKU '{one.sku}'.",
            )
        if one.paused != paused:
            one.paused = paused
            self._touch(one, caller)

    def _create(
        self, account: Account, name: str, wish: DeploymentBody, sku: str, caller: MintedToken
    ) -> tuple[Deployment, Operation]:
        world, now = self.world, self.world.clock.now()
        stone = recent_stone(world, account.key, name)
        stale = (
            stone is not None and now < stone.gone_at + 3600 and world.switches.stale_serving_s > 0
        )
        settles = now + world.switches.provisioning_s
        one = Deployment(
            id=deployment_key(account.key, name), account=account.key, name=name, sku=sku,
            capacity=wish.capacity, model=wish.model, properties=wish.properties, tags=wish.tags,
            created_at=now, created_by=caller.name, modified_at=now, modified_by=caller.name,
            etag=_etag(), operation="", settles_at=settles, serves_at=settles + world.switches.dataplane_lag_s,
            outcome=self._outcome(name), stale=stone.model if stone and stale else None,
            stale_until=now + world.switches.stale_serving_s,
        )  # fmt: skip
        operation = self._operation("put", account, one, settles)
        one.operation = operation.id
        world.store.put(one)
        return one, operation

    def _change(
        self, account: Account, one: Deployment, wish: DeploymentBody, sku: str, caller: MintedToken
    ) -> tuple[Deployment, int, Operation | None]:
        operation = None
        if (one.model.name, one.model.version) != (
            wish.model.name,
            wish.model.version or one.model.version,
        ):
            now = self.world.clock.now()
            one.previous, one.model = served_model(self.world, one), wish.model
            one.phase, one.settles_at = "updating", now + self.world.switches.update_s
            one.serves_at, one.stale = one.settles_at, None
            operation = self._operation("put", account, one, one.settles_at)
            one.operation = operation.id
        one.sku, one.capacity = sku, wish.capacity
        one.properties, one.tags = {**one.properties, **wish.properties}, wish.tags
        self._touch(one, caller)
        return one, 200, operation

    def _outcome(self, name: str) -> Literal["Succeeded", "Failed", "Canceled"]:
        switches = self.world.switches
        return (
            switches.provisioning_outcome
            if switches.provisioning_outcome_match in name
            else "Succeeded"
        )

    def _operation(
        self,
        kind: Literal["put", "patch", "delete"],
        account: Account,
        one: Deployment,
        settles_at: float,
    ) -> Operation:
        failed = kind == "put" and one.outcome != "Succeeded"
        operation = Operation(
            id=str(uuid.uuid4()), kind=kind, deployment=one.id, resource_id=deployment_id(account, one.name),
            started_at=self.world.clock.now(), settles_at=settles_at, outcome=one.outcome if failed else "Succeeded",
            error={"code": "DeploymentFailed", "message": f"The deployment '{one.name}' could not be provisioned."}
            if failed else None,
        )  # fmt: skip
        self.world.store.put(operation)
        return operation

    def _touch(self, one: Deployment, caller: MintedToken) -> None:
        one.modified_at, one.modified_by, one.etag = self.world.clock.now(), caller.name, _etag()
        self.world.store.put(one)


def _etag() -> str:
    return f'"{uuid.UUID(bytes=secrets.token_bytes(16))}"'
