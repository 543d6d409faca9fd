"""Reading what a client sent: the flavour and account of an address, JSON bodies, multipart forms, page parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flows.emulator.accounts import Account, find_account
from flows.emulator.auth import data_account
from flows.emulator.control_plane.catalogue import DATA_API_VERSIONS
from flows.emulator.errors import bad_request, data_refusal, route_not_found
from flows.emulator.forms import Part, boundary_of, split_form
from flows.emulator.state.documents import Flavour
from flows.emulator.state.world import EmulatorState

__all__ = ["Caller", "form_parts", "json_body", "page", "parsed", "reply", "who"]

T = TypeVar("T")

_CUSTOM_HEADERS = 10
_USUAL_PREFIXES = ("x-stainless-", "x-ms-", "openai-", "traceparent", "tracestate", "idempotency-")
_USUAL_HEADERS = frozenset(
    [
        "host",
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "user-agent",
        "content-type",
        "content-length",
        "authorization",
        "api-key",
        "cookie",
        "cache-control",
        "expect",
        "transfer-encoding",
        "aoai-evals",
        "aoai-copy-ft-checkpoints",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks the data plane, and in which dialect: `style` is the address's, `flavour` that of the answers."""

    account: Account
    flavour: Flavour
    style: str


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


def who(world: EmulatorState, request: Request, right: str) -> Caller:
    """Check the api-version and the credentials of a data-plane request. Raises a Refusal."""
    path = request.scope["path"]
    named = _named_account(world, request)
    inner = path.split("/", 3)[3] if path.startswith("/accounts/") else path.lstrip("/")
    style = (
        "openai" if inner.startswith("v1/") else "v1" if inner.startswith("openai/v1/") else "dated"
    )
    flavour: Flavour = "openai" if style == "openai" else "azure"
    _check_headers(request)
    _check_version(world, style, request.query_params.get("api-version"))
    account = data_account(world, request.headers, named, flavour, right)
    if world.switches.flavour != "path":
        flavour = world.switches.flavour
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
        raise data_refusal(
            431,
            "431",
            f"The request has {len(own)} custom headers; at most {_CUSTOM_HEADERS} are allowed.",
            flavour="azure",
        )


def _named_account(world: EmulatorState, request: Request) -> Account | None:
    prefix = request.path_params.get("account")
    name = prefix or request.headers.get("host", "").split(".", 1)[0]
    account = find_account(world.switches, name)
    if prefix and account is None:
        raise route_not_found()
    return account


def _check_version(world: EmulatorState, style: str, version: str | None) -> None:
    if style == "dated" and version not in DATA_API_VERSIONS:
        raise route_not_found()
    dated = version is not None and version not in ("preview", "latest", "v1")
    if style == "v1" and dated and world.switches.v1_dated_api_version == "refuse":
        raise data_refusal(
            400,
            "BadRequest",
            "api-version query parameter is not allowed when using /v1 path",
            flavour="azure",
        )


def parsed(body: bytes) -> Any:
    """Return JSON as data. Raises ValueError for what is no JSON, no UTF-8, or nested too deeply."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error


async def json_body(world: EmulatorState, request: Request, flavour: Flavour) -> dict[str, Any]:
    """Return the JSON object of a request. Raises 400, 413 or 415."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise data_refusal(
            415,
            "unsupported_media_type",
            f"Content-Type '{kind}' is not 'application/json'.",
            flavour=flavour,
        )
    raw = await request.body()
    if len(raw) > world.switches.request_limit:
        raise data_refusal(
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
        raise data_refusal(
            415,
            "unsupported_media_type",
            "Files are uploaded as multipart/form-data.",
            flavour=flavour,
        )
    return split_form(await request.body(), boundary)


def page(
    items: Sequence[T], request: Request, *, key: Callable[[T], str], default: int = 20
) -> tuple[list[T], bool]:
    """Cut one page out of `items` by the query's `after` and `limit`; also say whether there are more."""
    after = request.query_params.get("after")
    start = 0
    if after:
        start = next((i + 1 for i, item in enumerate(items) if key(item) == after), len(items))
    limit = _limit(request.query_params.get("limit"), default)
    return list(items[start : start + limit]), start + limit < len(items)


def _limit(text: str | None, default: int) -> int:
    try:
        return min(max(int(text or default), 1), 10_000)
    except ValueError:
        return default
