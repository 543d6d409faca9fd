"""The control plane's deployments: list, get, put, patch, delete, skus, pause and resume."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from flows.emulator.control_plane import views
from flows.emulator.control_plane.bodies import read_wish
from flows.emulator.control_plane.lifecycle import at_rest, find_deployment, tidy
from flows.emulator.control_plane.request import ControlRequest, not_allowed, operation_link
from flows.emulator.control_plane.writes import Writer
from flows.emulator.gateway.errors import arm_refusal
from flows.emulator.gateway.requests import reply
from flows.emulator.state.documents import Deployment
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["Deployments"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Deployments:
    """Handlers below `…/accounts/{account}/deployments`."""

    def __init__(self, world: EmulatorState) -> None:
        self.world = world
        self.writer = Writer(world)

    async def __call__(self, ask: ControlRequest) -> Response:
        """Answer a request below `/deployments`; `ask.rest` starts with that word."""
        method = ask.request.method
        if len(ask.rest) == 1:
            if method != "GET":
                raise not_allowed(method)
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
            raise not_allowed(method)
        return await handler(ask)

    def _list(self, ask: ControlRequest) -> Response:
        ask.may("accounts/deployments/read")
        tidy(self.world)
        mine = [one for one in self.world.store.all(Deployment) if one.account == ask.account.key]
        start = int(ask.request.query_params.get("$skiptoken") or 0)
        size = self.world.switches.arm_page_size
        shown = [
            views.shown_deployment(self.world, ask.account, one)
            for one in mine[start : start + size]
        ]
        body: dict[str, Any] = {"value": shown}
        if start + size < len(mine):
            body["nextLink"] = str(
                ask.request.url.include_query_params(**{"$skiptoken": start + size})
            )
        return reply(body)

    async def _get(self, ask: ControlRequest) -> Response:
        ask.may("accounts/deployments/read")
        return reply(views.shown_deployment(self.world, ask.account, self._existing(ask)))

    async def _put(self, ask: ControlRequest) -> Response:
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
            headers = {"Azure-AsyncOperation": operation_link(ask, operation), **self._wait()}
        return reply(views.shown_deployment(self.world, ask.account, one), status, headers)

    async def _patch(self, ask: ControlRequest) -> Response:
        ask.may("accounts/deployments/write")
        one = self._existing(ask)
        operation = self.writer.patch(ask.account, one, await ask.body(), ask.caller)
        if self.world.switches.patch_style == "202":
            return Response(
                status_code=202,
                headers={"Location": operation_link(ask, operation), **self._wait()},
            )
        return reply(views.shown_deployment(self.world, ask.account, one))

    async def _delete(self, ask: ControlRequest) -> Response:
        ask.may("accounts/deployments/delete")
        one = find_deployment(self.world, ask.account.key, ask.rest[1])
        if one is None:
            return Response(status_code=204)
        operation = self.writer.delete(ask.account, one)
        return Response(
            status_code=202, headers={"Location": operation_link(ask, operation), **self._wait()}
        )

    def _below_deployment(self, ask: ControlRequest, method: str, what: str) -> Response:
        if what == "skus" and method == "GET":
            ask.may("accounts/deployments/read")
            return reply(
                {"value": views.deployment_skus(self.world, ask.account, self._existing(ask))}
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
            return reply(views.shown_deployment(self.world, ask.account, one))
        raise not_allowed(method)

    def _existing(self, ask: ControlRequest) -> Deployment:
        one = find_deployment(self.world, ask.account.key, ask.rest[1])
        if one is None:
            path = views.deployment_id(ask.account, ask.rest[1])
            raise arm_refusal(404, "ResourceNotFound", f"The Resource '{path}' was not found.")
        return one

    def _wait(self) -> dict[str, str]:
        return {"Retry-After": str(self.world.switches.arm_retry_after_s)}
