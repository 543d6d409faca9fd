"""The control plane's HTTP: paths below `/subscriptions/…`, api-versions, tokens, rights, long-running operations."""

from __future__ import annotations

import uuid

from starlette.requests import Request
from starlette.responses import Response

from flows.emulator.control_plane import views
from flows.emulator.control_plane.catalogue import API_VERSIONS
from flows.emulator.control_plane.deployments import Deployments
from flows.emulator.control_plane.quota import usages
from flows.emulator.control_plane.region import Region
from flows.emulator.control_plane.request import ControlRequest, no_route
from flows.emulator.gateway.accounts import Account, accounts, same_name
from flows.emulator.gateway.auth import arm_caller, shown_permissions
from flows.emulator.gateway.errors import Refusal, arm_refusal
from flows.emulator.gateway.requests import reply
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["ControlPlane"]

_PROVIDER = "microsoft.cognitiveservices"


class ControlPlane:
    """Dispatches and answers control-plane requests."""

    def __init__(self, world: EmulatorState) -> None:
        self.world = world
        self.region, self.deployments = Region(world), Deployments(world)

    async def __call__(self, request: Request) -> Response:
        """Answer any path below `/subscriptions`."""
        try:
            response = await self._dispatch(request)
        except Refusal as refusal:
            response = reply(refusal.body, refusal.status, refusal.headers)
        response.headers["x-ms-request-id"] = str(uuid.uuid4())
        response.headers["x-ms-correlation-request-id"] = request.headers.get(
            "x-ms-correlation-request-id"
        ) or str(uuid.uuid4())
        return response

    async def _dispatch(self, request: Request) -> Response:
        parts = [part for part in request.scope["path"].split("/") if part]
        lowered = [part.casefold() for part in parts]
        subscription = parts[1] if len(parts) > 1 else ""
        here = [
            one
            for one in accounts(self.world.switches)
            if same_name(one.spec.subscription, subscription)
        ]
        if not here:
            raise arm_refusal(
                404,
                "SubscriptionNotFound",
                f"The subscription '{subscription}' could not be found.",
            )
        caller = arm_caller(self.world, request.headers, here[0].spec.tenant)
        authorization = "microsoft.authorization" in lowered
        version = (
            request.query_params.get("api-version") if authorization else self._version(request)
        )
        ask = ControlRequest(
            request=request, version=str(version), caller=caller, account=here[0], rest=parts
        )
        if lowered[2:4] == ["providers", _PROVIDER]:
            ask.rest = parts[4:]
            return await self.region(ask, here)
        if len(parts) > 3 and lowered[2] == "resourcegroups":
            return await self._group_level(ask, here, parts, lowered)
        raise no_route(request)

    def _version(self, request: Request) -> str:
        version = request.query_params.get("api-version")
        if not version:
            raise arm_refusal(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        switches = self.world.switches
        known = version in API_VERSIONS or version in switches.tolerated_api_versions
        if not known and switches.unknown_api_version == "refuse":
            raise arm_refusal(
                400,
                "NoRegisteredProviderFound",
                "No registered resource provider found for API version '"
                f"{version}' and type 'accounts/deployments'. The supported api-versions are '{', '.join(API_VERSIONS)}'.",
            )
        return version

    async def _group_level(
        self, ask: ControlRequest, here: list[Account], parts: list[str], lowered: list[str]
    ) -> Response:
        group = [one for one in here if same_name(one.spec.resource_group, parts[3])]
        if not group:
            raise arm_refusal(
                404, "ResourceGroupNotFound", f"Resource group '{parts[3]}' could not be found."
            )
        if lowered[4:7] != ["providers", _PROVIDER, "accounts"]:
            raise no_route(ask.request)
        if len(parts) == 7:
            return reply({"value": [views.shown_account(one, ask.base_url) for one in group]})
        ask.account, ask.rest = self._account(group, parts, ask.request.method), parts[8:]
        return await self._account_level(ask)

    def _account(self, group: list[Account], parts: list[str], method: str) -> Account:
        for one in group:
            if same_name(one.spec.name, parts[7]):
                return one
        path = f"/{'/'.join(parts[:8])}"
        if method in ("PUT", "PATCH") and len(parts) > 8:
            raise arm_refusal(
                404,
                "ParentResourceNotFound",
                f"Failed to perform '{method.lower()}' on resource(s) of type 'accounts/deployments', because the parent"
                f" resource '{path}' could not be found.",
            )
        raise arm_refusal(404, "ResourceNotFound", f"The Resource '{path}' was not found.")

    async def _account_level(self, ask: ControlRequest) -> Response:
        rest, method = [part.casefold() for part in ask.rest], ask.request.method
        if not rest and method == "GET":
            ask.may("accounts/read")
            return reply(views.shown_account(ask.account, ask.base_url))
        if rest == ["models"] and method == "GET":
            ask.may("accounts/models/read")
            return reply({"value": views.account_models(self.world, ask.account)})
        if rest == ["usages"] and method == "GET":
            ask.may("accounts/read")
            return reply({"value": usages(self.world, ask.account)})
        if rest == ["providers", "microsoft.authorization", "permissions"] and method == "GET":
            return reply({"value": [shown_permissions(ask.caller, ask.account.resource_id)]})
        if rest[:1] == ["deployments"]:
            return await self.deployments(ask)
        raise no_route(ask.request)
