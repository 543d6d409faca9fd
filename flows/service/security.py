"""Who may come in, and who somebody is.

Open to everyone: the webhooks, which are signed, the health checks, and the page to sign in. Everything else asks for the
token when one is set. Looking takes no name on loopback; answering takes one, always, and a person has a name only where
it can be believed: from the header that a trusted proxy sets, or by the token of a service on loopback, whose holder is
the actor of its settings. That a request came from this machine proves nothing: a proxy that adds no header sits here, too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evals.addresses import is_loopback, same_address
from flows.service.config import ServiceConfig
from flows.settings import Settings

__all__ = [
    "FORM_LIFE_S",
    "Guard",
    "actor_of",
    "form_token",
    "form_token_fits",
    "is_token",
    "session",
    "session_name",
]

FORM_LIFE_S = 8 * 3600
_SESSION = "session"
_LONGEST_PATH = 1000
_OPEN = ("/webhooks/", "/healthz", "/readyz", "/sign-in")
_PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
}


class Guard:
    """Middleware: lets in who may come in, and puts the protecting headers on every answer that lacks them."""

    def __init__(self, app: ASGIApp, *, settings: Settings, config: ServiceConfig) -> None:
        self._app, self._settings, self._config = app, settings, config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers, path = Headers(scope=scope), str(scope["path"])
        if (wrong := _wrong_path(path)) is not None:
            await wrong(scope, receive, protected)
            return
        holds = self._holds_token(headers)
        actor = self._actor(headers, _peer(scope), holds)
        refusal = None if path.startswith(_OPEN) else self._refusal(headers, path, holds, actor)
        scope.setdefault("state", {})["actor"] = actor
        await (refusal or self._app)(scope, receive, protected)

    def _refusal(
        self, headers: Headers, path: str, holds: bool, actor: str | None
    ) -> Response | None:
        config = self._config
        if config.token:
            return None if holds else _ask_for_token()
        if config.actor_header:
            needed = not config.loopback and not path.startswith("/v1/")
            return _sign_in_first(config, headers) if needed and actor is None else None
        if holds:
            return None
        if not self._own_host(headers):
            return PlainTextResponse("Ask for this service by a name of this machine.", 421)
        if _passed_on(headers):
            return PlainTextResponse(
                "This came through a proxy. Set GATEWRIGHT_ACTOR_HEADER or GATEWRIGHT_SERVE_TOKEN.",
                403,
            )
        return None

    def _own_host(self, headers: Headers) -> bool:
        """A page of another site whose name was made to point here must not be answered."""
        host = headers.get("host", "")
        own = self._config.origin
        ours = bool(own) and same_address(f"{urlsplit(own).scheme}://{host}", own)
        return bool(host) and (ours or is_loopback(urlsplit(f"//{host}").hostname or ""))

    def _actor(self, headers: Headers, peer: str, holds: bool) -> str | None:
        config = self._config
        if config.actor_header:
            trusted = holds or config.trusts(peer)
            return _named(headers, config.actor_header) if trusted else None
        return self._settings.actor if holds and config.loopback else None

    def _holds_token(self, headers: Headers) -> bool:
        token = self._config.session_token
        if not token:
            return False
        cookie = cookie_parser(headers.get("cookie", "")).get(session_name(self._config), "")
        return _has_token(headers, token) or form_token_fits(token.encode(), cookie, _SESSION)


def actor_of(request: Request) -> str | None:
    """Return who is asking, None when that can't be believed."""
    actor: str | None = request.state.actor
    return actor


def form_token(key: bytes, about: str, now: float | None = None) -> str:
    """Return a token that belongs to one form for one person; `about` says which and whose."""
    issued = str(int(now if now is not None else time.time()))
    return f"{issued}.{_signed(key, issued, about)}"


def form_token_fits(key: bytes, token: str, about: str, now: float | None = None) -> bool:
    """Return whether a token is ours, for this form and person, and not too old."""
    issued, _, signature = token.partition(".")
    if not issued.isdigit() or not hmac.compare_digest(
        signature.encode(), _signed(key, issued, about).encode()
    ):
        return False
    return 0 <= (now if now is not None else time.time()) - int(issued) + 5 <= FORM_LIFE_S


def _signed(key: bytes, issued: str, about: str) -> str:
    return hmac.new(key, f"{issued}\n{about}".encode(), hashlib.sha256).hexdigest()


def _has_token(headers: Mapping[str, str], token: str) -> bool:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    given = value.strip()
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    return is_token(given, token)


def is_token(given: str, token: str) -> bool:
    """Return whether somebody gave the token, in a time that tells nothing of it."""
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


def session(token: str) -> str:
    """Return the value of the cookie of those who gave the token; it ends with the token, and like a form."""
    return form_token(token.encode(), _SESSION)


def session_name(config: ServiceConfig) -> str:
    """Return the cookie's name: browsers don't keep two services of one machine apart by their ports."""
    return f"gatewright-{config.port}"


def _ask_for_token() -> Response:
    asks = {"WWW-Authenticate": 'Basic realm="Gatewright", charset="UTF-8"'}
    return PlainTextResponse("This needs the token of the service.", 401, headers=asks)


def _sign_in_first(config: ServiceConfig, headers: Headers) -> Response:
    why = f"Sign in first: no {config.actor_header} came with it."
    if _named(headers, config.actor_header):
        why = f"{config.actor_header} is not believed from this address: GATEWRIGHT_TRUSTED_PROXIES does not name it."
    return PlainTextResponse(why, 403)


def _wrong_path(path: str) -> Response | None:
    """No path of ours is long, or holds what can't be shown; a database would stumble over some of it."""
    if len(path) > _LONGEST_PATH:
        return PlainTextResponse("No address of this service is that long.", 414)
    return None if path.isprintable() else PlainTextResponse("No such address.", 400)


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _passed_on(headers: Mapping[str, str]) -> bool:
    return any(name in headers for name in _PASSED_ON)


def _named(headers: Mapping[str, str], name: str) -> str | None:
    actor = headers.get(name.lower(), "").strip()
    return actor if actor and len(actor) <= 200 and actor.isprintable() else None
