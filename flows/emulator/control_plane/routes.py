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
from flows.emulator.gateway.errors import ServiceError, arm_error
from flows.emulator.gateway.requests import json_response
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["ControlPlane"]

_PROVIDER = "microsoft.cognitiveservices"


class ControlPlane:
    """Dispatches and answers control-plane requests."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state
        self.region, self.deployments = Region(state), Deployments(state)

    async def __call__(self, http: Request) -> Response:
        """Answer any path below `/subscriptions`."""
        try:
            response = await self._dispatch(http)
        except ServiceError as error:
            response = json_response(error.body, error.status, error.headers)
        correlation = http.headers.get("x-ms-correlation-request-id") or str(uuid.uuid4())
        response.headers["x-ms-request-id"] = str(uuid.uuid4())
        response.headers["x-ms-correlation-request-id"] = correlation
        return response

    async def _dispatch(self, http: Request) -> Response:
        parts = [part for part in http.scope["path"].split("/") if part]
        lowered = [part.casefold() for part in parts]
        siblings = self._accounts_of(parts[1] if len(parts) > 1 else "")
        caller = arm_caller(self.state, http.headers, siblings[0].spec.tenant)
        authorization = "microsoft.authorization" in lowered
        version = http.query_params.get("api-version") if authorization else self._version(http)
        request = ControlRequest(
            http=http, version=str(version), caller=caller, account=siblings[0], rest=parts
        )
        if lowered[2:4] == ["providers", _PROVIDER]:
            request.rest = parts[4:]
            return await self.region(request, siblings)
        if len(parts) > 3 and lowered[2] == "resourcegroups":
            return await self._group_level(request, siblings)
        raise no_route(http)

    def _accounts_of(self, subscription: str) -> list[Account]:
        """Return the accounts of a subscription, at least one. Raises 404."""
        found = [
            one
            for one in accounts(self.state.switches)
            if same_name(one.spec.subscription, subscription)
        ]
        if not found:
            raise arm_error(
                404,
                "SubscriptionNotFound",
                f"The subscription '{subscription}' could not be found.",
            )
        return found

    def _version(self, http: Request) -> str:
        version = http.query_params.get("api-version")
        if not version:
            raise arm_error(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        switches = self.state.switches
        known = version in API_VERSIONS or version in switches.tolerated_api_versions
        if not known and switches.unknown_api_version == "refuse":
            raise arm_error(
                400,
                "NoRegisteredProviderFound",
                "No registered resource provider found for API version '"
                f"{version}' and type 'accounts/deployments'. The supported api-versions are '{', '.join(API_VERSIONS)}'.",
            )
        return version

    async def _group_level(self, request: ControlRequest, siblings: list[Account]) -> Response:
        parts = request.rest
        group = [one for one in siblings if same_name(one.spec.resource_group, parts[3])]
        if not group:
            raise arm_error(
                404, "ResourceGroupNotFound", f"Resource group '{parts[3]}' could not be found."
            )
        if [part.casefold() for part in parts[4:7]] != ["providers", _PROVIDER, "accounts"]:
            raise no_route(request.http)
        if len(parts) == 7:
            return json_response(
                {"value": [views.shown_account(one, request.base_url) for one in group]}
            )
        request.account, request.rest = self._account(group, parts, request.http.method), parts[8:]
        return await self._account_level(request)

    def _account(self, group: list[Account], parts: list[str], method: str) -> Account:
        for one in group:
            if same_name(one.spec.name, parts[7]):
                return one
        path = f"/{'/'.join(parts[:8])}"
        if method in ("PUT", "PATCH") and len(parts) > 8:
            raise arm_error(
                404,
                "ParentResourceNotFound",
                f"Failed to perform '{method.lower()}' on resource(s) of type 'accounts/deployments', because the parent"
                f" resource '{path}' could not be found.",
            )
        raise arm_error(404, "ResourceNotFound", f"The Resource '{path}' was not found.")

    async def _account_level(self, request: ControlRequest) -> Response:
        rest, method = [part.casefold() for part in request.rest], request.http.method
        if not rest and method == "GET":
            request.require_right("accounts/read")
            return json_response(views.shown_account(request.account, request.base_url))
        if rest == ["models"] and method == "GET":
            request.require_right("accounts/models/read")
            return json_response({"value": views.account_models(self.state, request.account)})
        if rest == ["usages"] and method == "GET":
            request.require_right("accounts/read")
            return json_response({"value": usages(self.state, request.account)})
        if rest == ["providers", "microsoft.authorization", "permissions"] and method == "GET":
            return json_response(
                {"value": [shown_permissions(request.caller, request.account.resource_id)]}
            )
        if rest[:1] == ["deployments"]:
            return await self.deployments(request)
        raise no_route(request.http)
