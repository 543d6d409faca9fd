"""The emulator's own addresses, below `/_emulator`: health, switches, clock, log, tokens. No credentials are needed."""

from __future__ import annotations

import os
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flows.emulator.accounts import DEFAULT_ACCOUNT
from flows.emulator.auth import ARM_AUDIENCE, mint
from flows.emulator.errors import Refusal
from flows.emulator.requests import parsed, reply
from flows.emulator.state.clock import iso
from flows.emulator.state.documents import Outgoing
from flows.emulator.state.world import EmulatorState, LogEntry
from flows.emulator.switches import changed

__all__ = ["Admin"]


class Admin:
    """Handlers below `/_emulator`."""

    def __init__(self, world: EmulatorState) -> None:
        self.world = world

    async def health(self, request: Request) -> Response:
        """GET: ready, with the emulator's time and process."""
        now = self.world.clock.now()
        waiting = len(self.world.store.all(Outgoing))
        return reply(
            {"status": "ok", "pid": os.getpid(), "time": iso(now), "webhooks_waiting": waiting}
        )

    async def switches(self, request: Request) -> Response:
        """GET all switches; POST changes some of them."""
        if request.method == "POST":
            try:
                self.world.switches = changed(self.world.switches, await _object(request))
            except msgspec.ValidationError as error:
                raise _invalid(str(error)) from None
        return reply(msgspec.to_builtins(self.world.switches))

    async def clock(self, request: Request) -> Response:
        """GET the time; POST {"advance_s": …} moves it forward."""
        if request.method == "POST":
            seconds = (await _object(request)).get("advance_s")
            if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
                raise _invalid("'advance_s' must be a number of seconds, not negative")
            self.world.clock.advance(float(seconds))
        now = self.world.clock.now()
        return reply({"now": now, "time": iso(now), "offset_s": self.world.clock.offset})

    async def log(self, request: Request) -> Response:
        """GET the requests answered so far, newest last; DELETE forgets them."""
        if request.method == "DELETE":
            self.world.log.clear()
        return reply({"requests": [_shown(entry) for entry in self.world.log]})

    async def tokens(self, request: Request) -> Response:
        """POST {"audience", "tenant", "expires_in_s", "roles", "name"}: give out a bearer token."""
        wish = await _object(request)
        try:
            token = mint(
                self.world,
                audience=str(wish.get("audience", ARM_AUDIENCE)),
                tenant=str(wish.get("tenant", DEFAULT_ACCOUNT.tenant)),
                expires_in_s=float(wish.get("expires_in_s", 3600)),
                roles=msgspec.convert(wish.get("roles"), dict[str, str] | None),
                name=str(wish.get("name", "someone@embedded.example")),
            )
        except (ValueError, TypeError) as error:
            raise _invalid(str(error)) from None
        return reply(
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


def _invalid(message: str) -> Refusal:
    return Refusal(400, {"error": {"code": "InvalidSwitch", "message": message}})


def _shown(entry: LogEntry) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(entry, builtin_types=(bytes,))
    shown["body"] = entry.body.decode("utf-8", "replace")
    return shown
