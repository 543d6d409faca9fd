"""The OpenAI-style API of a platform, through the openai SDK: one client made when first asked, errors in our words.

The SDK takes about a second to import and asks for a credential when it is built, so that both wait until a request is
really made.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from evals.errors import CredentialError, PlatformError, Problem
from flows.platforms.base import AuthHeaders

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["DataPlane", "missing_credential"]

T = TypeVar("T")
_log = logging.getLogger(__name__)

_MEANINGS: Mapping[str, tuple[str, str]] = {
    "deploymentnotfound": (
        "the deployment is missing, has expired, or is not through yet",
        "deploy it again; a developer slot is removed 24 hours after its creation",
    ),
    "model_not_found": (
        "the model is not known here, or was shut down",
        "check the model id and that the key belongs to the organisation that owns it",
    ),
    "insufficient_quota": ("the account has no credit left", "see the billing page of the account"),
    "authenticationtypedisabled": (
        "the resource does not take keys",
        "unset the key and sign in by 'az login' or a managed identity",
    ),
    "permissiondenied": (
        "a role on the data plane is missing",
        "have 'Cognitive Services OpenAI User' assigned at the account",
    ),
}
_BY_STATUS: Mapping[int, tuple[str, str]] = {
    403: ("the credential is good and may not do this", "check roles and network rules"),
    404: ("there is nothing of that name or path", "check the id, the address and the api-version"),
    410: ("the model is retired", "deploy one that lives, or train on a newer base model"),
    423: ("the deployment is paused", "resume it"),
    429: ("the rate limit is used up", "try again later, or raise the slot's capacity"),
}


class DataPlane:
    """A client on demand. `make` builds it (and raises CredentialError when the credential is missing).

    `headers` authenticate requests that other rooms send; `renew` is called once after a 401 and says whether another
    way of authenticating is left to try; `credential` says which variables hold the credential,
    `absent` what to do when nothing answers.
    """

    def __init__(
        self,
        address: str,
        make: Callable[[], AsyncOpenAI],
        headers: AuthHeaders,
        *,
        credential: str,
        absent: str = "check the network and the address",
        renew: Callable[[], bool] = lambda: False,
    ) -> None:
        self.address = address
        self.headers = headers
        self._make, self.renew = make, renew
        self._credential, self.absent = credential, absent
        self._client: AsyncOpenAI | None = None

    @property
    def client(self) -> AsyncOpenAI:
        """The SDK's client; prefer `ask`, which translates its errors."""
        if self._client is None:
            self._client = self._make()
        return self._client

    async def ask(self, doing: str, action: Callable[[AsyncOpenAI], Awaitable[T]]) -> T:
        """Run requests with the client; `doing` says what for. Raises PlatformError or CredentialError."""
        import openai

        _log.debug("begins to %s at %s", doing, self.address)
        client = self.client
        try:
            return await action(client)
        except openai.AuthenticationError as error:
            if not self.renew():
                raise self.translated(error, doing) from error
        except openai.APIError as error:
            raise self.translated(error, doing) from error
        try:
            return await action(client)
        except openai.APIError as error:
            raise self.translated(error, doing) from error

    def translated(self, error: Any, doing: str) -> PlatformError | CredentialError:
        """Put an SDK error into our words."""
        status = getattr(error, "status_code", None)
        if status is None:
            return self.unanswered(error, doing)
        return self.refused(status, _code(error), _message(error), doing)

    def unanswered(self, error: Exception, doing: str) -> PlatformError:
        """Say that no answer came."""
        return PlatformError(
            f"could not {doing}: nothing answers at {self.address} ({type(error).__name__})",
            hint=self.absent,
        )

    def refused(
        self, status: int, code: str | None, message: str, doing: str
    ) -> PlatformError | CredentialError:
        """Put an answer that is no success into our words; `code` and `message` are the service's own."""
        if status == 401:
            return CredentialError(
                Problem(
                    where=self._credential,
                    message=f"could not {doing}: {self.address} refuses the credential",
                    fix="check that it belongs to this address and has not been revoked",
                )
            )
        meaning, fix = _MEANINGS.get((code or "").lower()) or _BY_STATUS.get(status, ("", ""))
        explanation = f": {meaning}" if meaning else ""
        return PlatformError(
            f"could not {doing}: {code or f'HTTP {status}'}{explanation} (the service says: {message})",
            status=status,
            code=code,
            hint=fix or None,
        )

    async def aclose(self) -> None:
        """Close the client when one was made."""
        if self._client is not None:
            await self._client.close()


def missing_credential(platform: str, variables: str, fix: str) -> CredentialError:
    """Build the error for a credential that is not there; `variables` are those that would hold it."""
    return CredentialError(
        Problem(
            where=variables,
            message=f"expected a credential for {platform}; found none in the environment",
            fix=fix,
        )
    )


def _code(error: Any) -> str | None:
    code = getattr(error, "code", None)
    if code is None and isinstance(error.body, Mapping):
        inner = error.body.get("error", error.body)
        code = inner.get("code") if isinstance(inner, Mapping) else None
    return None if code is None else str(code)


def _message(error: Any) -> str:
    body = error.body if isinstance(error.body, Mapping) else {}
    inner = body.get("error", body)
    text = inner.get("message") if isinstance(inner, Mapping) else None
    return "".join(c for c in str(text or error.message) if c.isprintable())[:400]
