"""The authentication headers of an endpoint: fetched when needed, renewed in time and when refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from multidict import CIMultiDict

from evals.errors import GatewrightError, SamplingError
from evals.sampling.redaction import Redactor
from evals.sampling.request_spec import AuthHeaders

__all__ = ["Credentials"]

_RENEW_AFTER_S = 30.0  # the provider caches its token, so asking it often is cheap
_FIXED_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "User-Agent": "gatewright",
}


class Credentials:
    """Headers for one connection. `generation` counts how often they were fetched anew after a refusal."""

    def __init__(
        self, auth: AuthHeaders, redactor: Redactor, *, clock: Callable[[], float]
    ) -> None:
        self.generation = 0
        self._auth = auth
        self._redactor = redactor
        self._clock = clock
        self._headers: CIMultiDict[str] | None = None
        self._renew_at = 0.0
        self._fetching = asyncio.Lock()

    async def headers(self) -> CIMultiDict[str]:
        """Return all headers of a request. Raises what the provider raises, as a GatewrightError."""
        if self._headers is None or self._clock() >= self._renew_at:
            async with self._fetching:
                if self._headers is None or self._clock() >= self._renew_at:
                    await self._fetch()
        assert self._headers is not None
        return self._headers

    async def refused(self, generation: int) -> None:
        """Fetch new headers after those of `generation` were refused, unless somebody already has."""
        async with self._fetching:
            if generation == self.generation:
                self.generation += 1
                await self._fetch()

    async def _fetch(self) -> None:
        try:
            secret = await self._auth()
        except GatewrightError:
            raise
        except Exception as error:
            detail = self._redactor.text(f"{type(error).__name__}: {error}")
            raise SamplingError(f"no credential could be had to ask the model: {detail}") from error
        self._redactor.add_headers(secret)
        self._headers = CIMultiDict({**_FIXED_HEADERS, **secret})
        self._renew_at = self._clock() + _RENEW_AFTER_S
