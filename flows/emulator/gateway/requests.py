"""Requests of the data plane: the caller with account and flavour, JSON bodies, multipart forms, and pages of lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from evals.codec import decode
from flows.emulator.gateway.accounts import Account, find_account
from flows.emulator.gateway.auth import data_account
from flows.emulator.gateway.errors import bad_request, data_plane_error, route_not_found
from flows.emulator.gateway.multipart import Part, boundary_of, split_form
from flows.emulator.state.documents import Flavour
from flows.emulator.state.emulator_state import EmulatorState

__all__ = [
    "Caller",
    "authenticate",
    "form_parts",
    "json_body",
    "json_response",
    "page_response",
    "parsed",
]


class _Identified(Protocol):
    id: str


T = TypeVar("T", bound=_Identified)

_DATED_API_VERSIONS = [
    "2023-05-15",
    "2024-02-01",
    "2024-06-01",
    "2024-10-21",
    "2024-05-01-preview",
    "2024-08-01-preview",
    "2024-10-01-preview",
    "2024-12-01-preview",
    "2025-01-01-preview",
    "2025-03-01-preview",
    "2025-04-01-preview",
]
_CUSTOM_HEADERS = 10
_USUAL_PREFIXES = ("x-stainless-", "x-ms-", "openai-", "traceparent", "tracestate", "idempotency-")
_USUAL_HEADERS = frozenset([
    "host", "accept", "accept-encoding", "accept-language", "connection", "user-agent", "content-type",
    "content-length", "authorization", "api-key", "cookie", "cache-control", "expect",
    "transfer-encoding", "aoai-copy-ft-checkpoints",
])  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The caller of a data-plane request: `style` is that of the address (dated, v1, openai), `flavour` that of the responses."""

    account: Account
    flavour: Flavour
    style: str


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


def authenticate(state: EmulatorState, request: Request, right: str) -> Caller:
    """Check the api-version and the credentials of a data-plane request. Raises a ServiceError."""
    path = request.scope["path"]
    named = _named_account(state, request)
    inner = path.split("/", 3)[3] if path.startswith("/accounts/") else path.lstrip("/")
    style = (
        "openai" if inner.startswith("v1/") else "v1" if inner.startswith("openai/v1/") else "dated"
    )
    flavour: Flavour = "openai" if style == "openai" else "azure"
    _check_headers(request)
    _check_version(state, style, request.query_params.get("api-version"))
    account = data_account(state, request.headers, named, flavour, right)
    if state.switches.flavour != "path":
        flavour = state.switches.flavour
    return Caller(account=account, flavour=flavour, style=style)


def _check_headers(request: Request) -> None:
    """Raise 431 for more than ten headers of the client's own; those of the SDKs are not counted."""
    names = request.headers.keys()
    if len(names) <= _CUSTOM_HEADERS:
        return
    own = [
        one for one in names if one not in _USUAL_HEADERS and not one.startswith(_USUAL_PREFIXES)
    ]
    if len(own) > _CUSTOM_HEADERS:
        raise data_plane_error(
            431,
            "431",
            f"The request has {len(own)} custom headers; at most {_CUSTOM_HEADERS} are allowed.",
            flavour="azure",
        )


def _named_account(state: EmulatorState, request: Request) -> Account | None:
    prefix = request.path_params.get("account")
    name = prefix or request.headers.get("host", "").split(".", 1)[0]
    account = find_account(state.switches, name)
    if prefix and account is None:
        raise route_not_found()
    return account


def _check_version(state: EmulatorState, style: str, version: str | None) -> None:
    if style == "dated" and version not in _DATED_API_VERSIONS:
        raise route_not_found()
    dated = version is not None and version not in ("preview", "latest", "v1")
    if style == "v1" and dated and state.switches.v1_dated_api_version == "refuse":
        raise data_plane_error(
            400,
            "BadRequest",
            "api-version query parameter is not allowed when using /v1 path",
            flavour="azure",
        )


def parsed(body: bytes) -> Any:
    """Return JSON as data. Raises ValueError for what is no JSON, no UTF-8, or nested too deeply."""
    try:
        return decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error


async def json_body(state: EmulatorState, request: Request, flavour: Flavour) -> dict[str, Any]:
    """Return the JSON object of a request. Raises 400, 413 or 415."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise data_plane_error(
            415,
            "unsupported_media_type",
            f"Content-Type '{kind}' is not 'application/json'.",
            flavour=flavour,
        )
    raw = await request.body()
    if len(raw) > state.switches.request_limit:
        raise data_plane_error(
            413, "request_too_large", "The request body is too large.", flavour=flavour
        )
    try:
        body = parsed(raw)
    except ValueError:
        raise bad_request("We could not parse the JSON body of your request.", flavour) from None
    if not isinstance(body, dict):
        raise bad_request("The request body must be a JSON object.", flavour)
    return body


async def form_parts(request: Request, flavour: Flavour) -> dict[str, Part]:
    """Return the parts of a multipart/form-data body by name. Raises 415."""
    boundary = boundary_of(request.headers.get("content-type", ""))
    if boundary is None:
        raise data_plane_error(
            415,
            "unsupported_media_type",
            "Files are uploaded as multipart/form-data.",
            flavour=flavour,
        )
    return split_form(await request.body(), boundary)


def page_response(
    items: Sequence[T],
    request: Request,
    shown: Callable[[T], dict[str, Any]],
    *,
    default: int = 20,
    ends: bool = False,
) -> Response:
    """Answer with one page of `items`, cut out by the query's `after` and `limit`; `ends` adds its first and last id."""
    after = request.query_params.get("after")
    ids = [one.id for one in items]
    start = 0 if not after else ids.index(after) + 1 if after in ids else len(ids)
    stop = start + _limit(request.query_params.get("limit"), default)
    page = ids[start:stop]
    body: dict[str, Any] = {
        "object": "list",
        "data": [shown(one) for one in items[start:stop]],
        "has_more": stop < len(ids),
    }
    if ends:
        body["first_id"], body["last_id"] = (page[0], page[-1]) if page else (None, None)
    return json_response(body)


def _limit(text: str | None, default: int) -> int:
    try:
        return min(max(int(text or default), 1), 10_000)
    except ValueError:
        return default
