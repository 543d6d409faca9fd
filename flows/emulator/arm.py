"""The control plane's HTTP: paths below `/subscriptions/…`, api-versions, tokens, rights, long-running operations."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from flows.emulator import armviews
from flows.emulator.accounts import Account, accounts, same_name
from flows.emulator.armwrites import Writer, read_wish
from flows.emulator.auth import arm_caller, check_right
from flows.emulator.catalogue import API_VERSIONS
from flows.emulator.documents import Deployment, MintedToken, Operation
from flows.emulator.errors import Refusal, arm_refusal
from flows.emulator.lifecycle import at_rest, find_deployment, tidy
from flows.emulator.quota import usages
from flows.emulator.requests import reply
from flows.emulator.world import World

__all__ = ["ControlPlane"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PROVIDER = "microsoft.cognitiveservices"
Handler = Callable[["Ask"], Awaitable[Response]]


@dataclass(slots=True, kw_only=True)
class Ask:
    """A control-plane request whose caller is known."""

    request: Request
    version: str
    caller: MintedToken
    account: Account
    rest: list[str]

    @property
    def base_url(self) -> str:
        """Address under which the client reached us, for links."""
        return str(self.request.base_url)

    def may(self, action: str, scope: str | None = None) -> None:
        """Raise 403 unless the caller has the right."""
        check_right(self.caller, action, scope or self.account.resource_id)

    async def body(self) -> dict[str, Any]:
        """Return the JSON body. Raises 400 or 415."""
        kind = self.request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            raise arm_refusal(
                415, "UnsupportedMediaType", f"The content media type '{kind}' is not supported."
            )
        try:
            body = orjson.loads(await self.request.body())
        except orjson.JSONDecodeError:
            raise arm_refusal(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized.",
            ) from None
        if not isinstance(body, dict):
            raise arm_refusal(
                400, "InvalidRequestContent", "The request content must be a JSON object."
            )
        return body


class ControlPlane:
    """Dispatches and answers control-plane requests."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.writer = Writer(world)

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
        ask = Ask(request=request, version=str(version), caller=caller, account=here[0], rest=parts)
        if lowered[2:4] == ["providers", _PROVIDER]:
            ask.rest = parts[4:]
            return await self._subscription_level(ask, here)
        if len(parts) > 3 and lowered[2] == "resourcegroups":
            return await self._group_level(ask, here, parts, lowered)
        raise _no_route(request)

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

    async def _subscription_level(self, ask: Ask, here: list[Account]) -> Response:
        rest = [part.casefold() for part in ask.rest]
        if rest[:1] == ["accounts"] and len(rest) == 1:
            return reply({"value": [armviews.shown_account(one, ask.base_url) for one in here]})
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
        raise _no_route(ask.request)

    def _regional_models(self, account: Account) -> list[dict[str, Any]]:
        return [
            {"kind": "OpenAI", "skuName": "S0", "description": model["name"], "model": model}
            for model in armviews.account_models(self.world, account)
        ]

    def _capacities(self, ask: Ask) -> Response:
        query = ask.request.query_params
        if query.get("modelFormat") != "OpenAI" or not query.get("modelName"):
            raise arm_refusal(
                400,
                "InvalidRequestContent",
                "'modelFormat', 'modelName' and 'modelVersion' are required.",
            )
        found = armviews.model_capacities(
            self.world, ask.account, query["modelName"], query.get("modelVersion")
        )
        return reply({"value": found})

    def _operation(self, ask: Ask, key: str) -> Response:
        operation = self.world.store.get(Operation, key)
        if operation is None:
            raise arm_refusal(404, "ResourceNotFound", f"The operation '{key}' was not found.")
        running = self.world.clock.now() < operation.settles_at
        if operation.kind == "put":
            return reply(
                armviews.shown_operation(self.world, operation),
                headers=self._wait() if running else None,
            )
        if running:
            return Response(
                status_code=202, headers={**self._wait(), "Location": str(ask.request.url)}
            )
        one = self.world.store.get(Deployment, operation.deployment)
        if operation.kind == "delete" or one is None:
            return Response(status_code=204)
        return reply(armviews.shown_deployment(self.world, ask.account, one))

    async def _group_level(
        self, ask: Ask, here: list[Account], parts: list[str], lowered: list[str]
    ) -> Response:
        group = [one for one in here if same_name(one.spec.resource_group, parts[3])]
        if not group:
            raise arm_refusal(
                404, "ResourceGroupNotFound", f"Resource group '{parts[3]}' could not be found."
            )
        if lowered[4:7] != ["providers", _PROVIDER, "accounts"]:
            raise _no_route(ask.request)
        if len(parts) == 7:
            return reply({"value": [armviews.shown_account(one, ask.base_url) for one in group]})
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

    async def _account_level(self, ask: Ask) -> Response:
        rest, method = [part.casefold() for part in ask.rest], ask.request.method
        if not rest and method == "GET":
            ask.may("accounts/read")
            return reply(armviews.shown_account(ask.account, ask.base_url))
        if rest == ["models"] and method == "GET":
            ask.may("accounts/models/read")
            return reply({"value": armviews.account_models(self.world, ask.account)})
        if rest == ["usages"] and method == "GET":
            ask.may("accounts/read")
            return reply({"value": usages(self.world, ask.account)})
        if rest[:1] == ["deployments"]:
            return await self._deployments(ask, method)
        raise _no_route(ask.request)

    async def _deployments(self, ask: Ask, method: str) -> Response:
        if len(ask.rest) == 1:
            if method != "GET":
                raise _not_allowed(method)
            return self._list(ask)
        if len(ask.rest) == 3:
            return self._below_deployment(ask, method, ask.rest[2].casefold())
        handler = {
            "GET": self._get,
            "PUT": self._put,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }.get(method)
        if handler is None or len(ask.rest) != 2:
            raise _not_allowed(method)
        return await handler(ask)

    def _list(self, ask: Ask) -> Response:
        ask.may("accounts/deployments/read")
        tidy(self.world)
        mine = [one for one in self.world.store.all(Deployment) if one.account == ask.account.key]
        start = int(ask.request.query_params.get("$skiptoken") or 0)
        size = self.world.switches.arm_page_size
        shown = [
            armviews.shown_deployment(self.world, ask.account, one)
            for one in mine[start : start + size]
        ]
        body: dict[str, Any] = {"value": shown}
        if start + size < len(mine):
            body["nextLink"] = str(
                ask.request.url.include_query_params(**{"$skiptoken": start + size})
            )
        return reply(body)

    async def _get(self, ask: Ask) -> Response:
        ask.may("accounts/deployments/read")
        return reply(armviews.shown_deployment(self.world, ask.account, self._existing(ask)))

    async def _put(self, ask: Ask) -> Response:
        ask.may("accounts/deployments/write")
        name = ask.rest[1]
        if not _NAME.fullmatch(name):
            raise arm_refusal(
                400, "InvalidResourceName", f"The deployment name '{name}' is not valid."
            )
        wish = read_wish(self.world, await ask.body())
        one, status, operation = self.writer.put(
            ask.account, name, wish, caller=ask.caller, headers=ask.request.headers
        )
        headers = {}
        if operation is not None:
            headers = {"Azure-AsyncOperation": self._link(ask, operation), **self._wait()}
        return reply(armviews.shown_deployment(self.world, ask.account, one), status, headers)

    async def _patch(self, ask: Ask) -> Response:
        ask.may("accounts/deployments/write")
        one = self._existing(ask)
        operation = self.writer.patch(ask.account, one, await ask.body(), ask.caller)
        if self.world.switches.patch_style == "202":
            return Response(
                status_code=202, headers={"Location": self._link(ask, operation), **self._wait()}
            )
        return reply(armviews.shown_deployment(self.world, ask.account, one))

    async def _delete(self, ask: Ask) -> Response:
        ask.may("accounts/deployments/delete")
        one = find_deployment(self.world, ask.account.key, ask.rest[1])
        if one is None:
            return Response(status_code=204)
        operation = self.writer.delete(ask.account, one)
        return Response(
            status_code=202, headers={"Location": self._link(ask, operation), **self._wait()}
        )

    def _below_deployment(self, ask: Ask, method: str, what: str) -> Response:
        if what == "skus" and method == "GET":
            ask.may("accounts/deployments/read")
            return reply(
                {"value": armviews.deployment_skus(self.world, ask.account, self._existing(ask))}
            )
        if what in ("pause", "resume") and method == "POST":
            ask.may("accounts/deployments/write")
            one = self._existing(ask)
            if ask.version < "2025-12-01":
                raise arm_refusal(
                    400,
                    "NoRegisteredProviderFound",
                    f"'{what}' is not known in the api-version '{ask.version}'.",
                )
            if at_rest(self.world, one):
                self.writer.set_paused(one, what == "pause", ask.caller)
            return reply(armviews.shown_deployment(self.world, ask.account, one))
        raise _not_allowed(method)

    def _existing(self, ask: Ask) -> Deployment:
        one = find_deployment(self.world, ask.account.key, ask.rest[1])
        if one is None:
            path = armviews.deployment_id(ask.account, ask.rest[1])
            raise arm_refusal(404, "ResourceNotFound", f"The Resource '{path}' was not found.")
        return one

    def _link(self, ask: Ask, operation: Operation) -> str:
        spec = ask.account.spec
        return (
            f"{ask.base_url}subscriptions/{spec.subscription}/providers/Microsoft.CognitiveServices/locations/"
            f"{spec.location}/operationResults/{operation.id}?api-version={ask.version}"
        )

    def _wait(self) -> dict[str, str]:
        return {"Retry-After": str(self.world.switches.arm_retry_after_s)}


def _no_route(request: Request) -> Refusal:
    return arm_refusal(
        404,
        "InvalidResourceType",
        f"The resource type of '{request.scope['path']}' could not be found.",
    )


def _not_allowed(method: str) -> Refusal:
    return arm_refusal(
        405, "MethodNotAllowed", f"The requested resource does not support http method '{method}'."
    )
