"""A control-plane request whose caller is known, and the errors of requests for addresses that don't exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from flows.emulator.gateway.accounts import Account
from flows.emulator.gateway.auth import check_right
from flows.emulator.gateway.errors import ServiceError, arm_error
from flows.emulator.gateway.requests import parsed
from flows.emulator.state.documents import MintedToken, Operation
from flows.emulator.state.emulator_state import EmulatorState

__all__ = ["ControlRequest", "no_route", "not_allowed", "operation_link", "retry_after"]


@dataclass(slots=True, kw_only=True)
class ControlRequest:
    """A control-plane request whose caller is known."""

    http: Request
    version: str
    caller: MintedToken
    account: Account
    rest: list[str]  # the parts of the path that are not dispatched on yet

    @property
    def base_url(self) -> str:
        """Address under which the client reached us, for links."""
        return str(self.http.base_url)

    def require_right(self, action: str, scope: str | None = None) -> None:
        """Raise 403 unless the caller has the right."""
        check_right(self.caller, action, scope or self.account.resource_id)

    async def body(self) -> dict[str, Any]:
        """Return the JSON body. Raises 400 or 415."""
        kind = self.http.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            raise arm_error(
                415, "UnsupportedMediaType", f"The content media type '{kind}' is not supported."
            )
        try:
            body = parsed(await self.http.body())
        except ValueError:
            raise arm_error(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized.",
            ) from None
        if not isinstance(body, dict):
            raise arm_error(
                400, "InvalidRequestContent", "The request content must be a JSON object."
            )
        return body


def operation_link(request: ControlRequest, operation: Operation) -> str:
    """Return the address at which an operation is asked for; clients must not take it apart."""
    spec = request.account.spec
    return (
        f"{request.base_url}subscriptions/{spec.subscription}/providers/Microsoft.CognitiveServices/locations/"
        f"{spec.location}/operationResults/{operation.id}?api-version={request.version}"
    )


def retry_after(state: EmulatorState) -> dict[str, str]:
    """Return the header that tells a client when to ask for a long-running operation again."""
    return {"Retry-After": str(state.switches.arm_retry_after_s)}


def no_route(http: Request) -> ServiceError:
    """Build the 404 of a resource type that does not exist."""
    return arm_error(
        404,
        "InvalidResourceType",
        f"The resource type of '{http.scope['path']}' could not be found.",
    )


def not_allowed(method: str) -> ServiceError:
    """Build the 405."""
    return arm_error(
        405, "MethodNotAllowed", f"The requested resource does not support http method '{method}'."
    )
