"""The control plane's transport: one request with our own rules of retrying, and the pages of a list.

Retried until the deadline: what is refused while another write is under way (`errors.busy`). Retried a few times: 408, 429, 500, 502, 503, 504 and broken connections, so that a request must be safe to repeat. A token that has
expired is renewed once. Everything else becomes an error a person can act upon, at once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import msgspec

from evals.addresses import checked, http_options, plain_address
from evals.errors import CredentialError, PlatformError
from evals.report.numbers import duration
from flows.platforms.azure.arm.addresses import Address, is_below
from flows.platforms.azure.arm.answers import ArmAnswer, expired, read_answer, welcome
from flows.platforms.azure.credentials import ARM_SCOPE, TokenSource
from flows.platforms.azure.errors.explain import explained
from flows.platforms.deadlines import Deadline, PollingPace, growing_pause, retry_after

__all__ = ["ARM_API_VERSION", "ARM_ENDPOINT", "ArmClient"]

ARM_ENDPOINT = "https://management.azure.com"
ARM_API_VERSION = "2025-06-01"

_log = logging.getLogger(__name__)
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_BUSY = " (another operation on the same account is under way)"
_THROTTLING = " (it is throttling)"


class ArmClient:
    """Requests to one control plane. `auxiliary` gives the second token of a cross-tenant request.

    `absent` is the hint shown when nothing answers at the address.
    """

    def __init__(
        self,
        tokens: TokenSource,
        *,
        base_url: str = ARM_ENDPOINT,
        api_version: str = ARM_API_VERSION,
        pace: PollingPace | None = None,
        auxiliary: TokenSource | None = None,
        absent: str = "check the network and 'arm_endpoint'",
    ) -> None:
        checked(base_url, where="arm_endpoint", secure=True)  # tokens are sent to it
        self.base = plain_address(base_url)
        self._tokens, self.auxiliary = tokens, auxiliary
        self._api_version = api_version
        self._absent = absent
        self.pace = pace or PollingPace()
        self._http = httpx.AsyncClient(
            timeout=self.pace.request,
            follow_redirects=False,
            **http_options(base_url),
        )

    def elsewhere(self) -> ArmClient:
        """Return a client of the same control plane that signs in as the auxiliary identity, where there is one."""
        return ArmClient(
            self.auxiliary or self._tokens,
            base_url=self.base,
            api_version=self._api_version,
            pace=self.pace,
            absent=self._absent,
        )

    async def aclose(self) -> None:
        """Close connections and credentials."""
        await self._http.aclose()
        await self._tokens.aclose()
        if self.auxiliary is not None:
            await self.auxiliary.aclose()

    async def token(self) -> str:
        """Return a control-plane token. Raises CredentialError when none is to be had."""
        return await self._tokens.token(ARM_SCOPE)

    async def send(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        deadline: Deadline | None = None,
        allow: frozenset[int] = frozenset(),
        auxiliary: bool = False,
    ) -> ArmAnswer:
        """Send until it is answered for good; returns a 2xx answer, or one whose status is in `allow`.

        `path` is a path below the base, or an address of the same origin. Raises PlatformError or CredentialError.
        """
        _log.log(logging.DEBUG if method == "GET" else logging.INFO, "begins to %s", doing)
        ask = _Request(method, path, doing, body, params, allow, auxiliary)
        if deadline is not None:
            return await self._until_answered(ask, deadline)
        async with Deadline(self.pace.request * 5, f"the control plane to {doing}") as limit:
            return await self._until_answered(ask, limit)

    async def _until_answered(self, ask: _Request, limit: Deadline) -> ArmAnswer:
        tries, refused, fresh = 0, 0, False
        while True:
            headers = await self._headers(auxiliary=ask.auxiliary, fresh=fresh)
            answer = await self._once(ask, headers)
            if answer is not None and expired(answer) and not fresh:
                fresh = True
                continue
            if answer is not None and welcome(answer, ask.allow):
                return answer
            if answer is not None and answer.busy:
                refused += 1
                pause: float | None = self._until_free(answer, refused, limit.left)
            else:
                tries += 1
                pause = self._pause(answer, tries)
            if pause is None or not await limit.pause(pause, self._seen(ask, answer, pause)):
                raise self._refusal(ask.doing, answer)

    async def pages(
        self, path: str, *, doing: str, params: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Return the items of every page of a list."""
        items: list[dict[str, Any]] = []
        following: str | None = path
        seen: set[str] = set()
        while following and following not in seen:
            seen.add(following)
            answer = await self.send("GET", following, doing=doing, params=params)
            found, link = answer.body.get("value"), answer.body.get("nextLink")
            items += (
                [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
            )
            following, params = link if isinstance(link, str) else None, None
        return items

    def same_origin(self, address: str) -> bool:
        """True for a path, and for an address of this very control plane: the token travels nowhere else."""
        return is_below(self.base, address)

    async def _headers(self, *, auxiliary: bool, fresh: bool) -> dict[str, str]:
        token = await self._tokens.token(ARM_SCOPE, fresh=fresh)
        headers = {"Authorization": f"Bearer {token}"}
        if auxiliary and self.auxiliary is not None:
            second = await self.auxiliary.token(ARM_SCOPE, fresh=fresh)
            headers["x-ms-authorization-auxiliary"] = f"Bearer {second}"
        return headers

    async def _once(self, ask: _Request, headers: dict[str, str]) -> ArmAnswer | None:
        address = Address.of(self.base, ask.path, ask.params or {}, self._api_version)
        content = None if ask.body is None else msgspec.json.encode(ask.body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = await self._http.request(
                ask.method,
                address.url,
                content=content,
                headers=headers,
                extensions=address.verbatim,
            )
        except httpx.InvalidURL as error:
            raise PlatformError(
                f"could not {ask.doing}: the control plane names an address that is none"
            ) from error
        except httpx.TransportError as error:
            _log.debug("%s %s: no answer (%s)", ask.method, address.path, type(error).__name__)
            return None
        _log.debug("%s %s: %d", ask.method, address.path, answer.status_code)
        return read_answer(answer)

    def _pause(self, answer: ArmAnswer | None, tries: int) -> float | None:
        if tries >= self.pace.attempts or not _passing(answer):
            return None
        asked = retry_after(answer.headers) if answer is not None else None
        if asked is not None:
            return asked
        return growing_pause(min(tries, 5), self.pace.first_pause)

    def _until_free(self, answer: ArmAnswer, refused: int, left: float) -> float:
        """The server's word, else a pause that grows; the last try is made just before the time is over."""
        least = self.pace.first_pause
        asked = retry_after(answer.headers) or growing_pause(min(refused - 1, 20), least)
        return max(least, min(asked, left - least))

    def _seen(self, ask: _Request, answer: ArmAnswer | None, pause: float) -> str:
        """What holds a request up, for those who wait."""
        again = f"asked again in {duration(pause)}"
        if answer is None:
            return f"nothing answers at {self.base} to {ask.doing}, {again}"
        why = _BUSY if answer.busy else _THROTTLING if answer.status == 429 else ""
        name = " ".join(str(part) for part in (answer.status, answer.code) if part)
        return f"the control plane returned {name}{why} to the request to {ask.doing}, {again}"

    def _refusal(self, doing: str, answer: ArmAnswer | None) -> PlatformError | CredentialError:
        if answer is None:
            return PlatformError(
                f"could not {doing}: nothing answers at {self.base}", hint=self._absent
            )
        return explained(doing, status=answer.status, body=answer.body, headers=answer.headers)


class _Request(NamedTuple):
    """What is sent until it is answered for good."""

    method: str
    path: str
    doing: str
    body: Mapping[str, Any] | None
    params: Mapping[str, str] | None
    allow: frozenset[int]
    auxiliary: bool


def _passing(answer: ArmAnswer | None) -> bool:
    return answer is None or answer.status in _PASSING
