"""The emulator's own addresses, below `/_emulator`: health, switches, clock, log, tokens. No credentials are needed."""

from __future__ import annotations

import os
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from evals.codec import convert
from flows.emulator.gateway.accounts import DEFAULT_ACCOUNT
from flows.emulator.gateway.auth import ARM_AUDIENCE, issue_token
from flows.emulator.gateway.errors import ServiceError
from flows.emulator.gateway.requests import json_response, parsed
from flows.emulator.state.clock import iso
from flows.emulator.state.documents import Outgoing
from flows.emulator.state.emulator_state import EmulatorState, LogEntry

__all__ = ["Admin"]


class Admin:
    """Handlers below `/_emulator`."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state

    async def health(self, request: Request) -> Response:
        """GET: ready, with the emulator's time and process."""
        now = self.state.clock.now()
        waiting = len(self.state.store.all(Outgoing))
        return json_response(
            {"status": "ok", "pid": os.getpid(), "time": iso(now), "webhooks_waiting": waiting}
        )

    async def switches(self, request: Request) -> Response:
        """GET all switches; POST changes some of them."""
        if request.method == "POST":
            try:
                self.state.change(await _object(request))
            except msgspec.ValidationError as error:
                raise _invalid(str(error)) from None
        return json_response(msgspec.to_builtins(self.state.switches))

    async def clock(self, request: Request) -> Response:
        """GET the time; POST {"advance_s": …} moves it forward."""
        if request.method == "POST":
            seconds = (await _object(request)).get("advance_s")
            if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
                raise _invalid("'advance_s' must be a number of seconds, not negative")
            self.state.clock.advance(float(seconds))
        now = self.state.clock.now()
        return json_response({"now": now, "time": iso(now), "offset_s": self.state.clock.offset})

    async def log(self, request: Request) -> Response:
        """GET the requests answered so far, newest last; DELETE forgets them."""
        if request.method == "DELETE":
            self.state.log.clear()
        return json_response({"requests": [_shown(entry) for entry in self.state.log]})

    async def tokens(self, request: Request) -> Response:
        """POST {"audience", "tenant", "expires_in_s", "roles", "name"}: give out a bearer token."""
        body = await _object(request)
        try:
            token = issue_token(
                self.state,
                audience=str(body.get("audience", ARM_AUDIENCE)),
                tenant=str(body.get("tenant", DEFAULT_ACCOUNT.tenant)),
                expires_in_s=float(body.get("expires_in_s", 3600)),
                roles=convert(body.get("roles"), dict[str, str] | None),
                name=str(body.get("name", "someone@embedded.example")),
            )
        except (ValueError, TypeError) as error:
            raise _invalid(str(error)) from None
        return json_response(
            {"access_token": token.id, "expires_on": int(token.expires_at), "token_type": "Bearer"}
        )


async def _object(request: Request) -> dict[str, Any]:
    try:
        body = parsed(await request.body() or b"{}")
    except ValueError:
        raise _invalid("the body is not JSON") from None
    if not isinstance(body, dict):
        raise _invalid("the body is not a JSON object")
    return body


def _invalid(message: str) -> ServiceError:
    return ServiceError(400, {"error": {"code": "InvalidSwitch", "message": message}})


def _shown(entry: LogEntry) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(entry, builtin_types=(bytes,))
    shown["body"] = entry.body.decode("utf-8", "replace")
    return shown
