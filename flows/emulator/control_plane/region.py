"""The control plane above the accounts: usages, models and capacities of a region, operations, the list of accounts."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from flows.emulator.control_plane import views
from flows.emulator.control_plane.quota import usages
from flows.emulator.control_plane.request import ControlRequest, no_route
from flows.emulator.gateway.accounts import Account, same_name
from flows.emulator.gateway.errors import arm_refusal
from flows.emulator.gateway.requests import reply
from flows.emulator.state.documents import Deployment, Operation
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["Region"]


class Region:
    """Handlers of subscription-level resources."""

    def __init__(self, world: EmulatorState) -> None:
        self.world = world

    async def __call__(self, ask: ControlRequest, here: list[Account]) -> Response:
        """Answer a request below `/subscriptions/{id}/providers/Microsoft.CognitiveServices`."""
        rest = [part.casefold() for part in ask.rest]
        if rest[:1] == ["accounts"] and len(rest) == 1:
            return reply({"value": [views.shown_account(one, ask.base_url) for one in here]})
        if rest[:1] == ["locations"] and len(rest) >= 3:
            in_region = [one for one in here if same_name(one.spec.location, ask.rest[1])]
            if not in_region:
                raise arm_refusal(
                    400,
                    "LocationNotAvailableForResourceType",
                    f"The location '{ask.rest[1]}' is not available.",
                )
            ask.account, ask.rest = in_region[0], ask.rest[2:]
            rest = rest[2:]
        if rest[:1] == ["operationresults"] and len(rest) == 2:
            return self._operation(ask, ask.rest[1])
        scope = f"/subscriptions/{ask.account.spec.subscription}"
        if rest == ["usages"]:
            ask.may("locations/usages/read", scope)
            return reply({"value": usages(self.world, ask.account), "nextLink": None})
        if rest == ["models"]:
            ask.may("accounts/models/read", scope)
            return reply({"value": self._regional_models(ask.account)})
        if rest == ["modelcapacities"]:
            return self._capacities(ask)
        raise no_route(ask.request)

    def _regional_models(self, account: Account) -> list[dict[str, Any]]:
        return [
            {"kind": "OpenAI", "skuName": "S0", "description": model["name"], "model": model}
            for model in views.account_models(self.world, account)
        ]

    def _capacities(self, ask: ControlRequest) -> Response:
        query = ask.request.query_params
        if query.get("modelFormat") != "OpenAI" or not query.get("modelName"):
            raise arm_refusal(
                400,
                "InvalidRequestContent",
                "'modelFormat', 'modelName' and 'modelVersion' are required.",
            )
        found = views.model_capacities(
            self.world, ask.account, query["modelName"], query.get("modelVersion")
        )
        return reply({"value": found})

    def _operation(self, ask: ControlRequest, key: str) -> Response:
        operation = self.world.store.get(Operation, key)
        if operation is None:
            raise arm_refusal(404, "ResourceNotFound", f"The operation '{key}' was not found.")
        running = self.world.clock.now() < operation.settles_at
        if operation.kind == "put":
            return reply(
                views.shown_operation(self.world, operation),
                headers=self._wait() if running else None,
            )
        if running:
            return Response(
                status_code=202, headers={**self._wait(), "Location": str(ask.request.url)}
            )
        one = self.world.store.get(Deployment, operation.deployment)
        if operation.kind == "delete" or one is None:
            return Response(status_code=204)
        return reply(views.shown_deployment(self.world, ask.account, one))

    def _wait(self) -> dict[str, str]:
        return {"Retry-After": str(self.world.switches.arm_retry_after_s)}
