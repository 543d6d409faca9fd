"""GET and POST /sign-in: whoever shows the token of the service gets a session, and the pages' buttons with it.

The link with the token in it is what `gatewright serve` prints; the page without takes it from a form. Either way the
token leaves the address bar at once, and what the browser keeps is a signed cookie that no script and no other site can read.
"""

from __future__ import annotations

import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from evals.errors import RefusedError
from flows.service.forms import read_form, same_origin
from flows.service.pages.render import page
from flows.service.security import is_token, session, session_name
from flows.service.state import ServiceState, state_of_request

__all__ = ["show", "take"]

_log = logging.getLogger(__name__)


async def show(request: Request) -> Response:
    """GET /sign-in: the form, or the session where the link holds the token."""
    parts = _with_token(request)
    token = request.query_params.get("token")
    if token is not None:
        return await _let_in(request, parts, token, request.query_params.get("next", ""))
    return await page(request, "sign_in", next=_own(request.query_params.get("next", "")), wrong="")


async def take(request: Request) -> Response:
    """POST /sign-in: the token from the form."""
    parts, form = _with_token(request), await read_form(request)
    if not same_origin(request, parts.config.origin):
        raise RefusedError("this did not come from a page of this service")
    return await _let_in(request, parts, form.get("token", "").strip(), form.get("next", ""))


def _with_token(request: Request) -> ServiceState:
    parts = state_of_request(request)
    if not parts.config.session_token:
        raise HTTPException(404, "Sign-in is off: the proxy identifies users.")
    return parts


async def _let_in(request: Request, parts: ServiceState, token: str, then: str) -> Response:
    if not is_token(token, parts.config.session_token):
        _log.warning("refused a sign-in: not the token")
        wrong = "That is not the token of this service."
        return await page(request, "sign_in", 403, next=_own(then), wrong=wrong)
    answer = RedirectResponse(_own(then) or "/", status_code=303)
    answer.set_cookie(
        session_name(parts.config),
        session(parts.config.session_token),
        httponly=True,
        samesite="lax",
        secure=parts.config.origin.startswith("https://"),
    )
    return answer


def _own(path: str) -> str:
    """The page to go to afterwards; "" for what is none of ours."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if ours and path.isprintable() else ""
