"""The control plane's deployments: list, get, put, patch, delete, skus, pause and resume."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from flows.emulator.control_plane import views
from flows.emulator.control_plane.bodies import read_deployment_body
from flows.emulator.control_plane.lifecycle import find_deployment, is_settled, remove_expired
from flows.emulator.control_plane.request import (
    ControlRequest,
    not_allowed,
    operation_link,
    retry_after,
)
from flows.emulator.control_plane.writes import DeploymentWriter
from flows.emulator.gateway.errors import arm_error
from flows.emulator.gateway.requests import json_response
from flows.emulator.state.documents import Deployment
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["Deployments"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Deployments:
    """Handlers below `…/accounts/{account}/deployments`."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state
        self.writer = DeploymentWriter(state)

    async def __call__(self, request: ControlRequest) -> Response:
        """Answer a request below `/deployments`; `request.rest` starts with that word."""
        method = request.http.method
        if len(request.rest) == 1:
            if method != "GET":
                raise not_allowed(method)
            return self._list(request)
        if len(request.rest) == 3:
            return self._below_deployment(request, method, request.rest[2].casefold())
        handler = {
            "GET": self._get,
            "PUT": self._put,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }.get(method)
        if handler is None or len(request.rest) != 2:
            raise not_allowed(method)
        return await handler(request)

    def _list(self, request: ControlRequest) -> Response:
        request.require_right("accounts/deployments/read")
        remove_expired(self.state)
        mine = [
            deployment
            for deployment in self.state.store.all(Deployment)
            if deployment.account == request.account.key
        ]
        start = int(request.http.query_params.get("$skiptoken") or 0)
        size = self.state.switches.arm_page_size
        shown = [
            views.shown_deployment(self.state, request.account, deployment, request.version)
            for deployment in mine[start : start + size]
        ]
        body: dict[str, Any] = {"value": shown}
        if start + size < len(mine):
            body["nextLink"] = str(
                request.http.url.include_query_params(**{"$skiptoken": start + size})
            )
        return json_response(body)

    async def _get(self, request: ControlRequest) -> Response:
        request.require_right("accounts/deployments/read")
        return json_response(
            views.shown_deployment(
                self.state, request.account, self._existing(request), request.version
            )
        )

    async def _put(self, request: ControlRequest) -> Response:
        request.require_right("accounts/deployments/write")
        name = request.rest[1]
        if not _NAME.fullmatch(name):
            raise arm_error(
                400, "InvalidResourceName", f"The deployment name '{name}' is not valid."
            )
        body = read_deployment_body(self.state, await request.body())
        deployment, status, operation = self.writer.put(
            request.account, name, body, caller=request.caller, headers=request.http.headers
        )
        headers = {}
        if operation is not None:
            headers = {
                "Azure-AsyncOperation": operation_link(request, operation),
                **retry_after(self.state),
            }
        return json_response(
            views.shown_deployment(self.state, request.account, deployment, request.version),
            status,
            headers,
        )

    async def _patch(self, request: ControlRequest) -> Response:
        request.require_right("accounts/deployments/write")
        deployment = self._existing(request)
        operation = self.writer.patch(
            request.account, deployment, await request.body(), request.caller
        )
        if self.state.switches.patch_style == "202":
            return Response(
                status_code=202,
                headers={"Location": operation_link(request, operation), **retry_after(self.state)},
            )
        return json_response(
            views.shown_deployment(self.state, request.account, deployment, request.version)
        )

    async def _delete(self, request: ControlRequest) -> Response:
        request.require_right("accounts/deployments/delete")
        deployment = find_deployment(self.state, request.account.key, request.rest[1])
        if deployment is None:
            return Response(status_code=204)
        operation = self.writer.delete(request.account, deployment)
        return Response(
            status_code=202,
            headers={"Location": operation_link(request, operation), **retry_after(self.state)},
        )

    def _below_deployment(self, request: ControlRequest, method: str, what: str) -> Response:
        if what == "skus" and method == "GET":
            request.require_right("accounts/deployments/read")
            skus = views.deployment_skus(self.state, request.account, self._existing(request))
            return json_response({"value": skus})
        if what in ("pause", "resume") and method == "POST":
            own = self.state.switches.pause_right == "own_action"
            request.require_right(f"accounts/deployments/{f'{what}/action' if own else 'write'}")
            deployment = self._existing(request)
            if request.version < views.SHOWS_PAUSED:
                raise arm_error(
                    400,
                    "NoRegisteredProviderFound",
                    f"'{what}' is not known in the api-version '{request.version}'.",
                )
            if is_settled(self.state, deployment):
                self.writer.set_paused(deployment, what == "pause", request.caller)
            return json_response(
                views.shown_deployment(self.state, request.account, deployment, request.version)
            )
        raise not_allowed(method)

    def _existing(self, request: ControlRequest) -> Deployment:
        deployment = find_deployment(self.state, request.account.key, request.rest[1])
        if deployment is None:
            path = views.deployment_id(request.account, request.rest[1])
            raise arm_error(404, "ResourceNotFound", f"The Resource '{path}' was not found.")
        return deployment
