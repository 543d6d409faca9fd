"""The OpenAI-style API of a platform, through the openai SDK: one client made when first asked, errors in our words.

The SDK takes about a second to import and asks for a credential when it is built, so that both wait until a request is
really made.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from evals.errors import CredentialError, PlatformError, Problem
from evals.report.numbers import duration
from evals.sampling.endpoint.error_bodies import ServiceFault, read_fault
from flows.platforms.asking.data_errors import refused
from flows.platforms.asking.service_words import NO_API
from flows.platforms.base import AuthHeaders
from flows.platforms.deadlines import Deadline, retry_after

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["SDK_CLIENT", "DataPlane", "missing_credential"]

T = TypeVar("T")
_log = logging.getLogger(__name__)
_PATIENCE_S = 3 * 600.0 + 2 * 120.0
"""The longest that the SDK goes on with one request: three tries, and the two waits between them."""
_asking: ContextVar[Deadline | None] = ContextVar("asking", default=None)


async def _note_answer(answer: Any) -> None:
    """Have a wait told with what the service last answered: the SDK tries again by itself, and says nothing."""
    deadline = _asking.get()
    if deadline is not None and answer.status_code >= 400:
        asked = retry_after(answer.headers)
        wait = "" if asked is None else f" and asked to wait for {duration(asked)}"
        deadline.note(f"the service returned HTTP {answer.status_code}{wait}")


SDK_CLIENT: Mapping[str, Any] = {
    "event_hooks": {"response": [_note_answer]},
    "follow_redirects": False,
}
"""What every HTTP client of the SDK is made with: a credential is not carried to where a redirect leads."""


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
        """Run requests with the client; `doing` says what for. `action` returns what the SDK made of an answer, or bytes.

        Raises PlatformError or CredentialError.
        """
        _log.debug("begins to %s at %s", doing, self.address)
        async with Deadline(_PATIENCE_S, f"{self.address} to {doing}") as deadline:
            token = _asking.set(deadline)
            try:
                return await self._ask(doing, action)
            finally:
                _asking.reset(token)

    async def _ask(self, doing: str, action: Callable[[AsyncOpenAI], Awaitable[T]]) -> T:
        import openai

        client = self.client
        try:
            return await self._read(action(client), doing)
        except openai.AuthenticationError as error:
            if not self.renew():
                raise self.translated(error, doing) from error
        except openai.APIError as error:
            raise self.translated(error, doing) from error
        try:
            return await self._read(action(client), doing)
        except openai.APIError as error:
            raise self.translated(error, doing) from error

    async def _read(self, answer: Awaitable[T], doing: str) -> T:
        """What the service describes: the SDK hands on whatever else a good answer holds, or stumbles over it."""
        from openai import BaseModel

        try:
            found = await answer
        except (ValueError, AttributeError) as error:
            raise self.no_api(doing) from error
        if not isinstance(found, bytes | BaseModel):
            raise self.no_api(doing)
        return found

    def translated(self, error: Any, doing: str) -> PlatformError | CredentialError:
        """Put an SDK error into our words."""
        status = getattr(error, "status_code", None)
        if status is None:
            return self.unanswered(error, doing)
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        body = error.body if error.body is not None else str(error.message)
        return self.refused(status, read_fault(body), headers, doing)

    def unanswered(self, error: Exception, doing: str) -> PlatformError:
        """Say that no answer came."""
        return PlatformError(
            f"could not {doing}: nothing answers at {self.address} ({type(error).__name__})",
            hint=self.absent,
        )

    def no_api(self, doing: str) -> PlatformError:
        """Say that what came back is nothing that an OpenAI API answers: a sign-in page, another service."""
        return PlatformError(
            f"could not {doing}: what answers at {self.address} is no OpenAI API",
            hint=NO_API,
        )

    def refused(
        self, status: int, fault: ServiceFault, headers: Mapping[str, str], doing: str
    ) -> PlatformError | CredentialError:
        """Put an answer that is no success into our words."""
        return refused(
            status, fault, headers, doing, address=self.address, credential=self._credential
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
