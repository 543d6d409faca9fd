"""Carries the requests of judges and embeddings over one connection: as many at once as it takes, again when that helps.

Everything that decides here is the sampler's own: the limit that shrinks on 429, the waits a service names, the classes of
errors, the credential that is renewed once it is refused.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from time import monotonic

from evals.errors import GatewrightError
from evals.sampling.endpoint.classify import Reply, no_answer
from evals.sampling.endpoint.credentials import Credentials
from evals.sampling.endpoint.transport import HttpAnswer, Route, Transport, TransportFailure
from evals.sampling.pacing.backoff import wait_before
from evals.sampling.pacing.concurrency import AdaptiveConcurrency
from evals.sampling.redaction import Redactor
from evals.sampling.request_spec import Connection

__all__ = ["JudgeCall", "JudgeTransport"]

_ATTEMPTS = 5
_REJECTIONS = 10  # a 429 costs nothing, and says when to come back
_LONGEST_WAIT_S = 120.0
_TIMEOUT_S = 120.0
_CONNECT_TIMEOUT_S = 10.0


class JudgeCall:
    """One question to one model. `body` and `read` turn it into bytes and an answer into its class.

    `adapt` hears of a refusal and says whether the next `body` is another one.
    """

    def __init__(
        self,
        url: str,
        body: Callable[[], bytes],
        read: Callable[[HttpAnswer], Reply],
        adapt: Callable[[Reply], bool] = lambda reply: False,
    ) -> None:
        self.route = Route(url, _TIMEOUT_S, _CONNECT_TIMEOUT_S)
        self.body = body
        self.read = read
        self.adapt = adapt
        self.failures = 0
        self.rejections = 0
        self.unauthorised = False


class JudgeTransport:
    """Sends calls over one connection until each has an answer, or no sense in asking on. Belongs to one event loop."""

    def __init__(self, connection: Connection, redactor: Redactor, *, concurrency: int) -> None:
        self.limit = AdaptiveConcurrency(concurrency, clock=monotonic)
        self._credentials = Credentials(connection.auth, redactor, clock=monotonic)
        self._transport: Transport | None = None
        self._rng = random.Random()  # noqa: S311 - spreads waits, keeps no secret

    async def aclose(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            await self._transport.__aexit__(None, None, None)
            self._transport = None

    async def answer(self, call: JudgeCall, on_request: Callable[[], None]) -> Reply:
        """Return the last reply to a call, whatever its class. `on_request` hears of every request that is sent."""
        while True:
            try:
                headers = await self._credentials.headers()
                generation = self._credentials.generation
                reply, wait_s = await self._attempt(call, headers, on_request)
                if reply.fatal == "auth" and not call.unauthorised:
                    call.unauthorised = True
                    await self._credentials.refused(generation)
                    continue
            except GatewrightError as error:  # the provider of credentials has none just now
                return Reply(outcome="connection_error", error=str(error), retryable=True)
            if reply.refused_parameter and call.adapt(reply):
                continue
            if wait_s is None:
                return reply
            await asyncio.sleep(wait_s)

    async def _attempt(
        self, call: JudgeCall, headers: Mapping[str, str], on_request: Callable[[], None]
    ) -> tuple[Reply, float | None]:
        await self.limit.acquire()
        try:
            on_request()
            reply, answer_headers = await self._post(call, headers)
            wait_s = self._wait(call, reply, answer_headers)
            self._update_limit(reply, wait_s)
        finally:
            self.limit.release()
        return reply, wait_s

    def _update_limit(self, reply: Reply, wait_s: float | None) -> None:
        if reply.outcome == "rate_limited":
            self.limit.rejected(wait_s or 0.0)
        elif reply.retryable:
            self.limit.server_failed()
        else:
            self.limit.accepted()

    async def _post(
        self, call: JudgeCall, headers: Mapping[str, str]
    ) -> tuple[Reply, Mapping[str, str]]:
        if self._transport is None:
            self._transport = Transport()
        try:
            answer = await self._transport.post(call.route, call.body(), headers)
        except TransportFailure as failure:
            return no_answer(failure), {}
        return call.read(answer), answer.headers

    def _wait(self, call: JudgeCall, reply: Reply, headers: Mapping[str, str]) -> float | None:
        """Seconds until the next attempt; None when the reply stands."""
        rejected = reply.outcome == "rate_limited"
        call.rejections += rejected
        call.failures += not rejected
        if reply.fatal or not reply.retryable:
            return None
        if call.failures >= _ATTEMPTS or call.rejections >= _REJECTIONS:
            return None
        message = reply.error or "" if rejected else ""
        attempts = call.failures + call.rejections
        wait_s = wait_before(attempts, headers, self._rng, message=message)
        return wait_s if wait_s <= _LONGEST_WAIT_S else None
