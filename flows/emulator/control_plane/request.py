"""A control-plane request whose caller is known, and the refusals for requests that lead nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from flows.emulator.accounts import Account
from flows.emulator.auth import check_right
from flows.emulator.errors import Refusal, arm_refusal
from flows.emulator.requests import parsed
from flows.emulator.state.documents import MintedToken, Operation

__all__ = ["ControlRequest", "no_route", "not_allowed", "operation_link"]


@dataclass(slots=True, kw_only=True)
class ControlRequest:
    """A control-plane request whose caller is known."""

    request: Request
    version: str
    caller: MintedToken
    account: Account
    rest: list[str]

    @property
    def base_url(self) -> str:
        """Address under which the client reached us, for links."""
        return str(self.request.base_url)

    def may(self, action: str, scope: str | None = None) -> None:
        """Raise 403 unless the caller has the right."""
        check_right(self.caller, action, scope or self.account.resource_id)

    async def body(self) -> dict[str, Any]:
        """Return the JSON body. Raises 400 or 415."""
        kind = self.request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            raise arm_refusal(
                415, "UnsupportedMediaType", f"The content media type '{kind}' is not supported."
            )
        try:
            body = parsed(await self.request.body())
        except ValueError:
            raise arm_refusal(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized.",
            ) from None
        if not isinstance(body, dict):
            raise arm_refusal(
                400, "InvalidRequestContent", "The request content must be a JSON object."
            )
        return body


def operation_link(ask: ControlRequest, operation: Operation) -> str:
    """Return the address at which an operation is asked for; clients must not take it apart."""
    spec = ask.account.spec
    return (
        f"{ask.base_url}subscriptions/{spec.subscription}/providers/Microsoft.CognitiveServices/locations/"
        f"{spec.location}/operationResults/{operation.id}?api-version={ask.version}"
    )


def no_route(request: Request) -> Refusal:
    """Build the 404 of a resource type that does not exist."""
    return arm_refusal(
        404,
        "InvalidResourceType",
        f"The resource type of '{request.scope['path']}' could not be found.",
    )


def not_allowed(method: str) -> Refusal:
    """Build the 405."""
    return arm_refusal(
        405, "MethodNotAllowed", f"The requested resource does not support http method '{method}'."
    )
