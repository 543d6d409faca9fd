"""The control plane above the accounts: usages, models and capacities of a region, operations, the list of accounts."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from flows.emulator.control_plane import views
from flows.emulator.control_plane.quota import usages
from flows.emulator.control_plane.request import ControlRequest, no_route, retry_after
from flows.emulator.gateway.accounts import Account, same_name
from flows.emulator.gateway.errors import arm_error
from flows.emulator.gateway.requests import json_response
from flows.emulator.state.documents import Deployment, Operation
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["Region"]


class Region:
    """Handlers of subscription-level resources."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state

    async def __call__(self, request: ControlRequest, siblings: list[Account]) -> Response:
        """Answer a request below `/subscriptions/{id}/providers/Microsoft.CognitiveServices`.

        `siblings` are the accounts of the subscription.
        """
        if [part.casefold() for part in request.rest] == ["accounts"]:
            shown = [views.shown_account(one, request.base_url) for one in siblings]
            return json_response({"value": shown})
        if len(request.rest) > 2 and request.rest[0].casefold() == "locations":
            self._enter_location(request, siblings)
        rest = [part.casefold() for part in request.rest]
        if rest[:1] == ["operationresults"] and len(rest) == 2:
            return self._operation(request, request.rest[1])
        scope = f"/subscriptions/{request.account.spec.subscription}"
        if rest == ["usages"]:
            request.require_right("locations/usages/read", scope)
            return json_response({"value": usages(self.state, request.account), "nextLink": None})
        if rest == ["models"]:
            request.require_right("accounts/models/read", scope)
            return json_response({"value": self._regional_models(request.account)})
        if rest == ["modelcapacities"]:
            return self._capacities(request)
        raise no_route(request.http)

    def _enter_location(self, request: ControlRequest, siblings: list[Account]) -> None:
        """Take `locations/{name}` off the path and an account of that location for the request. Raises 400."""
        location = request.rest[1]
        in_region = [one for one in siblings if same_name(one.spec.location, location)]
        if not in_region:
            raise arm_error(
                400,
                "LocationNotAvailableForResourceType",
                f"The location '{location}' is not available.",
            )
        request.account, request.rest = in_region[0], request.rest[2:]

    def _regional_models(self, account: Account) -> list[dict[str, Any]]:
        return [
            {"kind": "OpenAI", "skuName": "S0", "description": model["name"], "model": model}
            for model in views.account_models(self.state, account)
        ]

    def _capacities(self, request: ControlRequest) -> Response:
        query = request.http.query_params
        if not query.get("modelFormat") or not query.get("modelName"):
            raise arm_error(
                400,
                "InvalidRequestContent",
                "'modelFormat', 'modelName' and 'modelVersion' are required.",
            )
        found = views.model_capacities(
            self.state, request.account, query["modelName"], query.get("modelVersion")
        )
        return json_response({"value": found})

    def _operation(self, request: ControlRequest, key: str) -> Response:
        operation = self.state.store.get(Operation, key)
        if operation is None:
            raise arm_error(404, "ResourceNotFound", f"The operation '{key}' was not found.")
        running = self.state.clock.now() < operation.settles_at
        if operation.kind == "put":
            return json_response(
                views.shown_operation(self.state, operation),
                headers=retry_after(self.state) if running else None,
            )
        if running:
            return Response(
                status_code=202,
                headers={**retry_after(self.state), "Location": str(request.http.url)},
            )
        deployment = self.state.store.get(Deployment, operation.deployment)
        if operation.kind == "delete" or deployment is None:
            return Response(status_code=204)
        return json_response(
            views.shown_deployment(self.state, request.account, deployment, request.version)
        )
