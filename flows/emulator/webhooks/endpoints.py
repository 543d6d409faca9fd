"""Management of webhook endpoints, below `/webhook_endpoints` (OpenAI) and `/dashboard/webhook_endpoints` (Azure)."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response

from flows.emulator.errors import bad_request, not_found
from flows.emulator.requests import Caller, json_body, page, reply, who
from flows.emulator.state.documents import Flavour, WebhookEndpoint
from flows.emulator.state.world import EmulatorState
from flows.emulator.webhooks.outbox import deliver_once
from flows.emulator.webhooks.signing import new_secret

__all__ = ["EVENT_TYPES", "Hooks", "register"]

EVENT_TYPES = [
    "fine_tuning.job.succeeded",
    "fine_tuning.job.failed",
    "fine_tuning.job.cancelled",
    "eval.run.succeeded",
    "eval.run.failed",
    "eval.run.canceled",
    "batch.completed",
    "batch.failed",
    "batch.expired",
    "batch.cancelled",
    "response.completed",
    "response.failed",
    "response.cancelled",
    "response.incomplete",
]


def register(
    world: EmulatorState,
    account: str,
    url: str,
    *,
    secret: str,
    name: str,
    key: str,
    flavour: Flavour,
) -> WebhookEndpoint:
    """Put a receiver of every event in place (again)."""
    now = world.clock.now()
    endpoint = WebhookEndpoint(
        id=key,
        account=account,
        flavour=flavour,
        name=name,
        url=url,
        event_types=list(EVENT_TYPES),
        secret=secret,
        created_at=now,
        updated_at=now,
    )
    world.store.put(endpoint)
    return endpoint


class Hooks:
    """Handlers of webhook endpoints."""

    def __init__(self, world: EmulatorState) -> None:
        self.world = world

    async def create(self, request: Request) -> Response:
        """POST: `name`, `url`, `event_types`; the secret is shown this once."""
        caller = who(self.world, request, "data/train")
        body = await json_body(self.world, request, caller.flavour)
        _check(body, caller, required=True)
        endpoint = register(
            self.world,
            caller.account.key,
            body["url"],
            secret=new_secret(),
            name=body["name"],
            key=f"we_{secrets.token_hex(12)}",
            flavour=caller.flavour,
        )
        endpoint.event_types = list(body["event_types"])
        self.world.store.put(endpoint)
        return reply({**_shown(endpoint), "signing_secret": endpoint.secret})

    async def list(self, request: Request) -> Response:
        """GET, newest first."""
        caller = who(self.world, request, "data/train")
        mine = [
            one
            for one in reversed(self.world.store.all(WebhookEndpoint))
            if one.account == caller.account.key
        ]
        chosen, more = page(mine, request, key=lambda one: one.id)
        return reply({"object": "list", "data": [_shown(one) for one in chosen], "has_more": more})

    async def get(self, request: Request) -> Response:
        """GET /{id}."""
        return reply(_shown(self._find(request)[1]))

    async def update(self, request: Request) -> Response:
        """POST /{id}: any of `name`, `url`, `event_types`."""
        caller, endpoint = self._find(request)
        body = await json_body(self.world, request, caller.flavour)
        _check(body, caller, required=False)
        for name in ("name", "url", "event_types"):
            setattr(endpoint, name, body.get(name, getattr(endpoint, name)))
        endpoint.updated_at = self.world.clock.now()
        self.world.store.put(endpoint)
        return reply(_shown(endpoint))

    async def rotate(self, request: Request) -> Response:
        """POST /{id}/rotate_secret; with `keep_old_secret_active_for_24_hours` both sign for a day."""
        caller, endpoint = self._find(request)
        body = await json_body(self.world, request, caller.flavour) if await request.body() else {}
        keep = bool(body.get("keep_old_secret_active_for_24_hours"))
        endpoint.old_secret = endpoint.secret if keep else None
        endpoint.old_secret_until = self.world.clock.now() + 24 * 3600 if keep else 0.0
        endpoint.secret, endpoint.updated_at = new_secret(), self.world.clock.now()
        self.world.store.put(endpoint)
        return reply({**_shown(endpoint), "signing_secret": endpoint.secret})

    async def test(self, request: Request) -> Response:
        """POST /{id}/test: send one event now."""
        caller, endpoint = self._find(request)
        body = await json_body(self.world, request, caller.flavour) if await request.body() else {}
        event_type = str(body.get("event_type") or endpoint.event_types[0])
        number = secrets.token_hex(8)
        event = {"object": "event", "id": f"evt_{number}", "type": event_type, "created_at": int(self.world.clock.now()),
                 "data": {"id": f"test_{number}"}}  # fmt: skip
        try:
            async with httpx.AsyncClient() as client:
                status = await deliver_once(
                    self.world, client, endpoint, f"wh_{number}", json.dumps(event)
                )
        except httpx.HTTPError as error:
            raise bad_request(
                f"The endpoint could not be reached: {error}", caller.flavour
            ) from None
        return reply(
            {"object": "webhook_endpoint.test", "event_type": event_type, "status_code": status, "success": True,
             "webhook_endpoint_id": endpoint.id}
        )  # fmt: skip

    async def delete(self, request: Request) -> Response:
        """DELETE /{id}."""
        _, endpoint = self._find(request)
        self.world.store.delete(WebhookEndpoint, endpoint.id)
        return reply({"id": endpoint.id, "object": f"{_object(endpoint)}.deleted", "deleted": True})

    async def types(self, request: Request) -> Response:
        """GET the event types there are."""
        who(self.world, request, "data/train")
        return reply({"object": "list", "data": list(EVENT_TYPES)})

    def _find(self, request: Request) -> tuple[Caller, WebhookEndpoint]:
        caller = who(self.world, request, "data/train")
        key = request.path_params["hook"]
        endpoint = self.world.store.get(WebhookEndpoint, key)
        if endpoint is None or endpoint.account != caller.account.key:
            raise not_found("webhook endpoint", key, caller.flavour)
        return caller, endpoint


def _object(endpoint: WebhookEndpoint) -> str:
    return "webhook.endpoint" if endpoint.flavour == "azure" else "webhook_endpoint"


def _shown(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "object": _object(endpoint),
        "name": endpoint.name,
        "url": endpoint.url,
        "event_types": endpoint.event_types,
        "created_at": int(endpoint.created_at),
        "updated_at": int(endpoint.updated_at),
        "signing_secret_hint": f"whsec_…{endpoint.secret[-4:]}",
    }


def _check(body: dict[str, Any], caller: Caller, *, required: bool) -> None:
    for name in ("name", "url", "event_types"):
        if required and not body.get(name):
            raise bad_request(f"Missing required parameter: '{name}'.", caller.flavour, param=name)
    unknown = sorted(set(body.get("event_types") or ()) - set(EVENT_TYPES))
    if unknown:
        raise bad_request(f"Unknown event types: {unknown}.", caller.flavour, param="event_types")
    if not str(body.get("url", "http://")).startswith(("http://", "https://")):
        raise bad_request("'url' must be an http(s) address.", caller.flavour, param="url")
